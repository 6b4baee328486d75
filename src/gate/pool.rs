//! The threads that scan. Their number is fixed, each closes the sandbox around
//! itself before its first job, and a job that breaks down costs nothing but
//! itself.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::RuleSet;
use crate::engine::Room;
use crate::limits::Limits;
use crate::policy::DigestLists;
use crate::report::FileReport;
use crate::scanner::{STACK_BYTES, Scanner, Worker};
use crate::shelter::{self, Sandbox, Wish};

/// What a thread needs for all of its jobs.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub rules: Arc<RuleSet>,
    pub limits: Limits,
    pub digests: DigestLists,
    /// Who makes and counts temporary files.
    pub room: Arc<dyn Room>,
}

/// The work on one file: reads it, and says what it is. The flag is set when
/// nobody waits any more.
type Work = Box<dyn FnOnce(&mut Worker<'_>, &Arc<AtomicBool>) -> FileReport + Send>;

struct Job {
    work: Work,
    stop: Arc<AtomicBool>,
    answer: oneshot::Sender<Option<FileReport>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<(VecDeque<Job>, bool)>,
    come: Condvar,
    running: AtomicUsize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<Job>, bool)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; none once the pool is gone.
    fn take(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.0.pop_front() {
                self.running.fetch_add(1, Ordering::Relaxed);
                return Some(job);
            }
            if waiting.1 {
                return None;
            }
            waiting = self.come.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A fixed number of scanning threads.
pub(super) struct Pool {
    queue: Arc<Queue>,
    sandbox: Sandbox,
}

/// Sets the flag when it is dropped: nobody waits any more.
pub(super) struct StopOnDrop(Arc<AtomicBool>);

impl StopOnDrop {
    /// Sets `stop`.
    pub(super) fn new(stop: &Arc<AtomicBool>) -> Self {
        Self(Arc::clone(stop))
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Pool {
    /// Starts `threads` of them.
    ///
    /// # Errors
    /// When a thread can't be started, or the sandbox is required and can't be
    /// had.
    pub(super) fn start(threads: usize, tools: &Tools, wish: Wish) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (tell, told) = sync_channel(threads);
        for index in 0..threads {
            let (queue, tell, tools) = (Arc::clone(&queue), tell.clone(), tools.clone());
            let thread = std::thread::Builder::new().name(format!("scan-{index}")).stack_size(STACK_BYTES);
            thread.spawn(move || {
                let closed = shelter::close_thread(wish);
                let refused = closed.is_err();
                let gone = tell.send(closed).is_err();
                // What comes next may take long, and nobody starts before all have told.
                drop(tell);
                if !refused && !gone {
                    work(&queue, &tools);
                }
            })?;
        }
        drop(tell);
        let mut pool = Self { queue, sandbox: Sandbox::off() };
        for closed in told {
            // All threads get the same; the last to tell speaks for all.
            pool.sandbox = closed.map_err(io::Error::other)?;
        }
        Ok(pool)
    }

    /// What confines the threads.
    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Jobs that wait for a thread.
    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().0.len()
    }

    /// Jobs that a thread is at.
    pub(super) fn running(&self) -> usize {
        self.queue.running.load(Ordering::Relaxed)
    }

    /// Has `work` done; nothing when it broke down. When the future is dropped,
    /// the work is told to stop.
    pub(super) async fn run(
        &self,
        work: impl FnOnce(&mut Worker<'_>, &Arc<AtomicBool>) -> FileReport + Send + 'static,
    ) -> Option<FileReport> {
        let stop = Arc::new(AtomicBool::new(false));
        let (answer, answered) = oneshot::channel();
        let _stop = StopOnDrop::new(&stop);
        self.queue.lock().0.push_back(Job { work: Box::new(work), stop, answer });
        self.queue.come.notify_one();
        answered.await.ok().flatten()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.lock().1 = true;
        self.queue.come.notify_all();
    }
}

fn work(queue: &Queue, tools: &Tools) {
    let scanner = Scanner::new(&tools.rules)
        .with_limits(tools.limits.clone())
        .with_digests(tools.digests.clone())
        .with_threads(1);
    let mut worker = scanner.worker_in(Arc::clone(&tools.room));
    while let Some(Job { work, stop, answer }) = queue.take() {
        let report = if stop.load(Ordering::Relaxed) {
            // What it holds is freed all the same.
            drop(work);
            None
        } else {
            let done = catch_unwind(AssertUnwindSafe(|| work(&mut worker, &stop)));
            if done.is_err() {
                // Whatever it left behind, the next file gets none of it.
                worker = scanner.worker_in(Arc::clone(&tools.room));
            }
            done.ok()
        };
        queue.running.fetch_sub(1, Ordering::Relaxed);
        // Nobody listens when the client has gone.
        let _ = answer.send(report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        let tools = Tools {
            rules: Arc::new(RuleSet::embedded().expect("rules")),
            limits: Limits::default(),
            digests: DigestLists::default(),
            room: Arc::new(crate::shelter::Files::start(std::env::temp_dir()).expect("a thread")),
        };
        Pool::start(1, &tools, Wish::Auto).expect("a pool")
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn a_job_that_breaks_down_costs_itself_alone() {
        let pool = pool();
        assert!(wait(pool.run(|_, _| panic!("on purpose"))).is_none());
        let report = wait(pool.run(|worker, _| worker.scan_bytes("model.pkl", b"N.")));
        assert_eq!(report.map(|report| report.size), Some(2));
        assert_eq!((pool.waiting(), pool.running()), (0, 0));
    }

    #[test]
    fn a_job_that_nobody_waits_for_is_told_to_stop() {
        let pool = pool();
        let (tell, told) = sync_channel(1);
        let endless = pool.run(move |worker, stop| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let _ = tell.send(());
            worker.scan_bytes("model.pkl", b"N.")
        });
        let waited = wait(async { tokio::time::timeout(std::time::Duration::from_millis(20), endless).await });
        assert!(waited.is_err(), "it does not end by itself");
        assert_eq!(told.recv(), Ok(()), "it was stopped");
    }
}
