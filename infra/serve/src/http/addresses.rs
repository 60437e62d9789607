//! How many connections each client has open.
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts open connections by address. Clones share the counts.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    addresses: Addresses,
    client: IpAddr,
}

impl Addresses {
    /// At most so many for each, and never none.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), open: Arc::default() }
    }

    /// Counts a connection; `None` when its client has enough.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let client = client(address);
        // Numbers are whole whatever happened to who last held the lock.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { addresses: self.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

/// Whom an address stands for, where a client is granted so much: of IPv6 the /64, which one client has as a whole.
pub fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_network_is_one_client() {
        let client = |text: &str| client(text.parse().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }

    #[test]
    fn each_client_has_its_own_count_and_what_ends_makes_room() {
        let addresses = Addresses::new(2);
        let enter = |text: &str| addresses.enter(text.parse().unwrap());
        let (first, second) = (enter("2001:db8::1"), enter("2001:db8::ffff"));
        assert!(first.is_some() && second.is_some() && enter("2001:db8::2").is_none());
        let other = enter("192.0.2.1");
        assert!(other.is_some() && enter("::ffff:192.0.2.1").is_some(), "the second one ends at once");
        drop(first);
        let third = enter("2001:db8::2");
        assert!(third.is_some());
        drop((second, third, other));
        assert!(addresses.open.lock().unwrap().is_empty());
    }
}
