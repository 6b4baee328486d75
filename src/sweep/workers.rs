//! The threads that examine. Each keeps its scanner from one object to the next;
//! together they hold no more of objects in memory than was allowed.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::Scope;
use std::time::SystemTime;

use super::facts::{self, Kept};
use super::offers::{Offer, Source};
use super::{Options, SweepError, depth_name};
use crate::artifact::{Artifact, Gap, GapReason};
use crate::engine::Depth;
use crate::input::{Input, ReadAt, to_u64};
use crate::remote::Object;
use crate::report::{Fetched, FileReport};
use crate::scanner::{STACK_BYTES, unexamined};
use crate::shelter::{self, Files, NoSandbox, Sandbox, Wish};
use crate::{Scanner, Worker};

/// What is to be done with an object.
pub(super) enum Work {
    Read,
    Judge(Box<Kept>),
}

pub(super) struct Task {
    pub target: String,
    pub offer: Offer,
    pub work: Work,
}

/// An object that has been examined.
pub(super) struct Done {
    pub target: String,
    pub offer: Offer,
    pub file: FileReport,
    /// As they are stored; absent when nothing is worth keeping.
    pub facts: Option<Vec<u8>>,
    pub judged_again: bool,
}

/// The threads, seen from the one that hands out work.
pub(super) struct Pool<'s> {
    tasks: SyncSender<Task>,
    done: Receiver<Result<Done, String>>,
    busy: usize,
    /// What confines the threads.
    pub sandbox: Sandbox,
    _scope: std::marker::PhantomData<&'s ()>,
}

impl Pool<'_> {
    /// Hands out work; returns it when all threads have enough.
    pub(super) fn offer(&mut self, task: Task) -> Result<Option<Task>, SweepError> {
        match self.tasks.try_send(task) {
            Ok(()) => {
                self.busy += 1;
                Ok(None)
            }
            Err(TrySendError::Full(task)) => Ok(Some(task)),
            Err(TrySendError::Disconnected(_)) => Err(gone()),
        }
    }

    /// Whether something is being examined.
    pub(super) fn is_busy(&self) -> bool {
        self.busy > 0
    }

    /// Waits for something that has been examined.
    pub(super) fn take(&mut self) -> Result<Done, SweepError> {
        let done = self.done.recv().map_err(|_| gone())?;
        self.busy = self.busy.saturating_sub(1);
        done.map_err(SweepError::Thread)
    }
}

fn gone() -> SweepError {
    SweepError::Thread("all scanning threads have ended".to_owned())
}

/// Runs `with` while threads examine what it hands out.
pub(super) fn with_pool<T>(
    scanner: &Scanner<'_>,
    options: &Options,
    with: impl FnOnce(Pool<'_>) -> Result<T, SweepError>,
) -> Result<T, SweepError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match (options.threads, scanner.depth()) {
        (0, Depth::Header) => cores.saturating_mul(4),
        (0, Depth::Full) => cores,
        (threads, _) => threads,
    };
    let budget = Budget { left: Mutex::new(options.memory), freed: Condvar::new(), all: options.memory };
    let (tasks, queue) = mpsc::sync_channel(threads.saturating_mul(2));
    let queue = Mutex::new(queue);
    let (tell, done) = mpsc::channel();
    let files = Files::start(tempfile::env::temp_dir()).map_err(|error| SweepError::Thread(error.to_string()))?;
    std::thread::scope(|scope| {
        let (close, closed) = mpsc::channel();
        for _ in 0..threads {
            let told = Told { close: close.clone(), done: tell.clone() };
            start(scope, scanner, &queue, &budget, (options.sandbox, files.clone()), told)?;
        }
        drop((tell, close));
        let mut sandbox = Sandbox::off();
        for closed in closed {
            // All threads get the same; the last to tell speaks for all.
            sandbox = closed.map_err(|error| SweepError::Thread(error.to_string()))?;
        }
        with(Pool { tasks, done, busy: 0, sandbox, _scope: std::marker::PhantomData })
    })
}

/// To whom a thread tells what.
struct Told {
    close: Sender<Result<Sandbox, NoSandbox>>,
    done: Sender<Result<Done, String>>,
}

fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    scanner: &'env Scanner<'_>,
    queue: &'env Mutex<Receiver<Task>>,
    budget: &'env Budget,
    (wish, files): (Wish, Files),
    told: Told,
) -> Result<(), SweepError> {
    let work = move || {
        let Told { close, done: tell } = told;
        let closed = shelter::close_thread(wish);
        let refused = closed.is_err();
        if close.send(closed).is_err() || refused {
            return;
        }
        // Nobody starts before all have told.
        drop(close);
        let mut worker = scanner.worker_in(Arc::new(files));
        loop {
            let task = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(task) = task else { break };
            let uri = task.offer.uri.clone();
            // The engine catches what happens in a format; this is for the rest.
            let done = catch_unwind(AssertUnwindSafe(|| examine(scanner, &mut worker, task, budget)));
            let done = done.map_err(|_| format!("a scanning thread failed at {}", crate::report::sanitise(&uri)));
            if tell.send(done).is_err() {
                break;
            }
        }
    };
    let started = std::thread::Builder::new().name("scan".to_owned()).stack_size(STACK_BYTES);
    started.spawn_scoped(scope, work).map_err(|error| SweepError::Thread(error.to_string()))?;
    Ok(())
}

fn examine(scanner: &Scanner<'_>, worker: &mut Worker<'_>, task: Task, budget: &Budget) -> Done {
    let Task { target, mut offer, work } = task;
    let mut fetched = Fetched {
        etag: offer.etag.clone(),
        version_id: offer.version_id.clone(),
        last_modified: offer.last_modified,
        depth: depth_name(scanner.depth()).to_owned(),
        bytes_read: 0,
        requests: None,
    };
    let (artifact, facts, judged_again) = match work {
        Work::Judge(kept) => {
            let facts = facts::pack(&kept);
            (kept.judged(scanner.rules(), scanner.digests()), facts, true)
        }
        Work::Read => {
            let held = budget.take(scanner.weight(offer.size));
            let artifact = read(worker, &mut offer, &mut fetched);
            drop(held);
            let kept = facts::pack(&Kept::of(&artifact));
            (artifact, kept, false)
        }
    };
    let file = offer.report(artifact).fetched(fetched);
    Done { target, offer, file, facts, judged_again }
}

fn read(worker: &mut Worker<'_>, offer: &mut Offer, fetched: &mut Fetched) -> Artifact {
    if let Some(gap) = &offer.problem {
        return unexamined(&offer.uri, offer.size, gap.clone());
    }
    if worker.is_stopped() {
        let detail = "the sweep was stopped before it came to this object";
        return unexamined(&offer.uri, offer.size, Gap::new(GapReason::Interrupted, detail));
    }
    match std::mem::replace(&mut offer.source, Source::None) {
        Source::Object(place) => {
            let (store, entry) = *place;
            let object = Arc::new(store.object(&entry, worker.depth()));
            let input = Input::positioned(Arc::<Object>::clone(&object), offer.size);
            let mut artifact = worker.examine(&offer.uri, input);
            if object.has_changed() {
                let detail = "the store had another object in its place while it was read";
                artifact.gaps.push(Gap::new(GapReason::Changed, detail));
            }
            if worker.is_stopped() {
                artifact.gaps.push(Gap::new(GapReason::Interrupted, "the sweep was stopped while this was read"));
            }
            let traffic = object.traffic();
            (fetched.bytes_read, fetched.requests) = (traffic.bytes, Some(traffic.requests));
            artifact
        }
        Source::Open(file, len) => {
            let counted = Arc::new(Counted { file, read: AtomicU64::new(0) });
            let before = counted.state();
            let input = Input::positioned(Arc::<Counted>::clone(&counted), len);
            let digest = offer.digest.take();
            let mut artifact = worker.examine_placed(offer.name(), input, digest);
            if counted.state() != before {
                artifact.gaps.push(Gap::new(GapReason::Changed, "the file was written to while it was read"));
            }
            fetched.bytes_read = counted.read.load(Ordering::Relaxed);
            artifact
        }
        Source::File(_) | Source::None => {
            unexamined(&offer.uri, offer.size, Gap::new(GapReason::Unreadable, "it was not opened"))
        }
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    read: AtomicU64,
}

impl Counted {
    fn state(&self) -> Option<(u64, SystemTime)> {
        self.file.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?))).ok()
    }
}

impl ReadAt for Counted {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(offset, buf)?;
        self.read.fetch_add(to_u64(read), Ordering::Relaxed);
        Ok(read)
    }
}

/// How much of objects may be in memory.
struct Budget {
    left: Mutex<u64>,
    freed: Condvar,
    all: u64,
}

/// What one object takes of it.
struct Held<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Budget {
    /// Waits until `bytes` are free; an object that needs more than there is
    /// waits for all of it.
    fn take(&self, bytes: u64) -> Held<'_> {
        let bytes = bytes.min(self.all);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while *left < bytes {
            left = self.freed.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        *left = left.saturating_sub(bytes);
        Held { budget: self, bytes }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut left = self.budget.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_add(self.bytes);
        drop(left);
        self.budget.freed.notify_all();
    }
}
