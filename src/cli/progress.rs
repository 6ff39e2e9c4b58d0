//! Shows events while hosts are under way: spinners on a terminal, plain lines elsewhere.

use super::Printer;
use super::printer::{paint, plain, style};
use super::show::sign;
use crate::fleet::event::{Event, Events, What};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// Shows events until all senders are gone.
pub struct Progress {
    task: JoinHandle<()>,
}

impl Progress {
    /// Starts showing; `steps` also tells each step where there is no terminal.
    pub fn start(printer: &Printer, steps: bool) -> (Events, Progress) {
        let (sender, receiver) = unbounded_channel();
        let printer = printer.clone();
        let task = if printer.interactive() {
            tokio::spawn(draw(receiver, printer))
        } else {
            tokio::spawn(tell(receiver, printer, steps))
        };
        (Events::to(sender), Progress { task })
    }

    /// Waits until everything has been shown. All [`Events`] must have been dropped.
    pub async fn finish(self) {
        let _ = self.task.await;
    }
}

async fn tell(mut events: UnboundedReceiver<Event>, printer: Printer, steps: bool) {
    while let Some(Event { host, what }) = events.recv().await {
        match what {
            What::Done(label, mark) if steps => printer.note(&format!("{host}: {} {label}", sign(mark).0)),
            What::Failed(label) if steps => printer.note(&format!("{host}: failed: {label}")),
            What::Note(note) => printer.note(&format!("{host}: {}", plain(&note))),
            What::Unwinding => printer.note(&format!("{host}: taking back what was done")),
            What::Connecting | What::Looking | What::Planned(_) | What::Step(_) if printer.verbose > 1 => {
                printer.note(&format!("{host}: {}", words(&what)));
            }
            _ => {}
        }
    }
}

fn words(what: &What) -> String {
    match what {
        What::Connecting => "logging in".into(),
        What::Looking => "looking".into(),
        What::Planned(0) => "nothing to do".into(),
        What::Planned(n) => format!("{n} to do"),
        What::Sending(done, all) => {
            format!("sending {} of {}", crate::plan::detail::bytes(*done), crate::plan::detail::bytes(*all))
        }
        What::Step(label) => label.clone(),
        What::Done(label, mark) => format!("{} {label}", sign(*mark).0),
        What::Failed(label) => format!("failed: {label}"),
        What::Unwinding => "taking back".into(),
        What::Note(note) => plain(note).into_owned(),
        What::Finished(how) => how.clone(),
    }
}

async fn draw(mut events: UnboundedReceiver<Event>, printer: Printer) {
    let all = MultiProgress::new();
    let look = ProgressStyle::with_template("{spinner} {prefix:.bold}  {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let mut bars: HashMap<String, ProgressBar> = HashMap::new();
    while let Some(Event { host, what }) = events.recv().await {
        let bar = bars.entry(host.clone()).or_insert_with(|| {
            let bar = all.add(ProgressBar::new_spinner().with_style(look.clone()).with_prefix(host.clone()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let text = printer.masker().mask(&words(&what)).into_owned();
        match &what {
            // Its plan is shown with the others'; a thousand lines that spin on would fill the terminal.
            What::Finished(_) | What::Planned(_) => {
                bar.finish_and_clear();
                all.remove(bar);
                bars.remove(&host);
            }
            What::Done(_, mark) => {
                let (sign, look) = sign(*mark);
                let line = printer.masker().mask(&text).into_owned();
                let _ = all.println(format!("{}  {}", paint(style::BOLD, &host), line.replacen(sign, &paint(look, sign), 1)));
            }
            What::Note(_) => drop(all.println(format!("{}  {text}", paint(style::BOLD, &host)))),
            _ => bar.set_message(text),
        }
    }
    let _ = all.clear();
}
