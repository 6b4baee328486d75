//! How often each client may ask: a bucket of tokens for each, that fills at a
//! steady rate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Clients that are remembered. Beyond, those whose bucket is full go, and when
/// there are none, newcomers share one bucket.
const CLIENTS: usize = 4096;

/// Whose bucket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// The holder of a token.
    Token(usize),
    /// An address; of IPv6, the network that one subscriber has.
    Address(IpAddr),
    /// Any other, when there are too many to tell apart.
    Other,
}

impl Client {
    /// The client at an address.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        })
    }
}

/// The buckets.
#[derive(Debug)]
pub(super) struct Rate {
    /// Requests a second; 0 is any number.
    rate: u32,
    buckets: Mutex<HashMap<Client, (f64, Instant)>>,
}

impl Rate {
    /// Buckets that fill by `rate` a second, and hold twice that.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes one token at the time `now`; else in how many seconds there is one.
    pub(super) fn take(&self, client: Client, now: Instant) -> Result<(), u64> {
        if self.rate == 0 {
            return Ok(());
        }
        let rate = f64::from(self.rate);
        let most = rate * 2.0;
        let filled =
            |(level, at): (f64, Instant)| (level + now.saturating_duration_since(at).as_secs_f64() * rate).min(most);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CLIENTS && !buckets.contains_key(&client) {
            buckets.retain(|_, bucket| filled(*bucket) < most);
        }
        let room = buckets.len() < CLIENTS || buckets.contains_key(&client);
        let bucket = buckets.entry(if room { client } else { Client::Other }).or_insert((most, now));
        let level = filled(*bucket);
        let enough = level >= 1.0;
        *bucket = (if enough { level - 1.0 } else { level }, now);
        if enough { Ok(()) } else { Err(1) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let rate = Rate::new(2);
        let now = Instant::now();
        let at = |text: &str| Client::at(text.parse().expect("an address"));
        for _ in 0..4 {
            assert_eq!(rate.take(at("192.0.2.1"), now), Ok(()));
        }
        assert_eq!(rate.take(at("192.0.2.1"), now), Err(1));
        assert_eq!(rate.take(at("::ffff:192.0.2.1"), now), Err(1), "the same client");
        assert_eq!(rate.take(at("192.0.2.2"), now), Ok(()), "another");
        assert_eq!(rate.take(at("192.0.2.1"), now + Duration::from_millis(500)), Ok(()));
        assert_eq!(at("2001:db8::1"), at("2001:db8::2"));
        assert_eq!(Rate::new(0).take(Client::Other, now), Ok(()));
    }

    #[test]
    fn many_clients_take_bounded_memory() {
        let rate = Rate::new(1);
        let now = Instant::now();
        for holder in 0..CLIENTS * 2 {
            let _ = rate.take(Client::Token(holder), now);
        }
        assert!(rate.buckets.lock().expect("unpoisoned").len() <= CLIENTS + 1);
        assert_eq!(rate.take(Client::Token(usize::MAX), now), Err(1), "newcomers share one bucket");
    }
}
