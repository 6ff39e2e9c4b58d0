//! What a sandbox passes on as a jump host: nothing, unless it was told.

use super::Server;
use russh::Channel;
use russh::server::Msg;
use std::collections::HashMap;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

/// Where a connection asked for by a jumping client ends.
#[derive(Debug, Clone)]
pub enum Forward {
    /// At a TCP address of this machine.
    Address(String),
    /// At another sandbox, without a port.
    Sandbox(Server),
}

/// Host and port as the client names them, and what is there.
pub type Forwards = HashMap<(String, u16), Forward>;

/// Joins the channel to its end until either side is done.
pub async fn pass(channel: Channel<Msg>, to: Forward) {
    let mut near = channel.into_stream();
    match to {
        Forward::Address(address) => {
            if let Ok(mut far) = TcpStream::connect(address).await {
                let _ = far.set_nodelay(true);
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        }
        Forward::Sandbox(server) => {
            let mut far = server.connect();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    }
}
