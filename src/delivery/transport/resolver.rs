//! Looks the backend's name up once: a lookup with a timeout costs a thread, and each request asks for one.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// A resolver that remembers what it found for a while.
#[derive(Debug, Default)]
pub struct OnceResolver {
    inner: DefaultResolver,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    origin: String,
    at: Instant,
    addresses: Vec<SocketAddr>,
}

impl Resolver for OnceResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let origin = format!("{:?}://{:?}", uri.scheme(), uri.authority());
        // Held while the name is looked up: whoever asks meanwhile wants the same.
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|k| k.origin == origin && k.at.elapsed() < KEPT) {
            let mut addresses = self.empty();
            known.addresses.iter().for_each(|address| addresses.push(*address));
            return Ok(addresses);
        }
        let found = self.inner.resolve(uri, config, timeout)?;
        let addresses = found.iter().copied().collect();
        *known = Some(Known { origin, at: Instant::now(), addresses });
        Ok(found)
    }
}

/// A backend that moves is found again after this time.
const KEPT: Duration = Duration::from_secs(60);
