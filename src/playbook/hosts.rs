//! Which hosts a configuration is about.

use super::Config;

impl Config {
    /// Every host that a play is for, in the order of the inventory.
    pub fn hosts(&self) -> Vec<String> {
        self.inventory.hosts.keys().filter(|host| self.plays.iter().any(|play| play.hosts.contains(host))).cloned().collect()
    }

    /// The plays of `host`, by number.
    pub fn plays_of(&self, host: &str) -> Vec<usize> {
        (0..self.plays.len()).filter(|play| self.plays[*play].hosts.iter().any(|name| name == host)).collect()
    }

    /// Whether `host` may be off.
    pub fn optional(&self, host: &str) -> bool {
        self.inventory.hosts.get(host).is_some_and(|host| host.connection.optional)
    }
}
