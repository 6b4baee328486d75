//! Signals that ask for an end. The first ends the scan, and the report says
//! what was examined until then; the second ends the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Listens to the signals that ask for an end.
#[derive(Debug, Default)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    which: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens to SIGINT, SIGTERM and SIGXCPU from now on. SIGXFSZ, which ends
    /// a process that writes more than a file may hold, becomes an error of the
    /// write.
    ///
    /// # Errors
    /// When the system does not let it.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag;

        let signals = Self::default();
        for signal in [SIGINT, SIGTERM, libc::SIGXCPU] {
            flag::register_conditional_shutdown(signal, code(signal), Arc::clone(&signals.stop))?;
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&signals.which), number)?;
            flag::register(signal, Arc::clone(&signals.stop))?;
        }
        flag::register(libc::SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// Listens to nothing: this system ends the process as it always does.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn listen() -> io::Result<Self> {
        Ok(Self::default())
    }

    /// Set once a signal has come. Setting it does what a signal would.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// The signal that has come.
    pub fn came(&self) -> Option<String> {
        match self.which.load(Ordering::Relaxed) {
            0 => None,
            #[cfg(unix)]
            which => {
                let name = i32::try_from(which).ok().and_then(signal_hook::low_level::signal_name);
                Some(name.map_or_else(|| format!("signal {which}"), str::to_owned))
            }
            #[cfg(not(unix))]
            which => Some(format!("signal {which}")),
        }
    }

    /// When a signal has come, ends the process the way that it would have
    /// ended it, so that a shell or a service manager sees what it expects.
    pub fn end_as_asked(&self) {
        let which = self.which.load(Ordering::Relaxed);
        #[cfg(unix)]
        if let Some(signal) = i32::try_from(which).ok().filter(|signal| *signal != 0) {
            // The first process of a container is not ended by its own signals;
            // musl sends them by a call that the sandbox refuses.
            if std::process::id() != 1 && cfg!(not(target_env = "musl")) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            std::process::exit(code(signal));
        }
        #[cfg(not(unix))]
        let _ = which;
    }
}

/// The exit code by which shells tell that a signal ended a process.
#[cfg(unix)]
fn code(signal: i32) -> i32 {
    128 + signal
}
