//! Work on the threads of libtorch.
//!
//! libtorch's threads belong to libgomp and spin for some milliseconds after each of its operations,
//! waiting for the next. Threads of our own would fight with them for the cores. So kernels run on
//! them too, through the function that compilers call for `#pragma omp parallel`; where libtorch is
//! built with another library, threads are started for the call.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Elements that are worth a thread of their own.
const WORTH: usize = 1 << 14;

/// How many parts to cut work on `elements` numbers into.
pub(crate) fn parts(elements: usize) -> usize {
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1);
    threads.min(elements.div_ceil(WORTH)).max(1)
}

/// Rows of each of [`parts`] of a table, the last of which may be smaller.
pub(crate) fn rows_each(rows: usize, width: usize) -> usize {
    rows.div_ceil(parts(rows * width)).max(1)
}

/// Does every job, as many at once as there are jobs.
pub(crate) fn run<J: Send>(jobs: Vec<J>, work: impl Fn(J) + Sync) {
    if jobs.len() < 2 {
        jobs.into_iter().for_each(work);
        return;
    }
    let count = jobs.len();
    let jobs: Vec<Mutex<Option<J>>> = jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
    let next = AtomicUsize::new(0);
    // However many threads there turn out to be, each job is taken once.
    let turn = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(job) = job.lock().ok().and_then(|mut job| job.take()) {
                work(job);
            }
        }
    };
    if !openmp::run(count, &turn) {
        std::thread::scope(|scope| {
            for _ in 1..count {
                scope.spawn(turn);
            }
            turn();
        });
    }
}

#[cfg(target_os = "linux")]
mod openmp {
    use std::ffi::{c_char, c_uint, c_void};
    use std::sync::OnceLock;

    unsafe extern "C" {
        fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    type Parallel = unsafe extern "C" fn(
        work: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
        threads: c_uint,
        flags: c_uint,
    );

    fn parallel() -> Option<Parallel> {
        static FOUND: OnceLock<Option<Parallel>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            // SAFETY: a null library means whatever this program has loaded.
            let found = unsafe { dlsym(std::ptr::null_mut(), c"GOMP_parallel".as_ptr()) };
            // SAFETY: libgomp's function of this name has this type since version 4.0.
            (!found.is_null())
                .then(|| unsafe { std::mem::transmute::<*mut c_void, Parallel>(found) })
        })
    }

    /// Calls `work` on so many threads; false where there is no libgomp. A panic in it aborts.
    pub(super) fn run<F: Fn() + Sync>(threads: usize, work: &F) -> bool {
        unsafe extern "C" fn call<F: Fn() + Sync>(work: *mut c_void) {
            // SAFETY: this is the reference given below, which outlives the call.
            unsafe { (*work.cast::<F>())() }
        }
        let Some(parallel) = parallel() else { return false };
        let data = std::ptr::from_ref(work).cast_mut().cast();
        // SAFETY: returns when all threads are done; they share `work` only.
        unsafe { parallel(call::<F>, data, threads as c_uint, 0) };
        true
    }
}

#[cfg(not(target_os = "linux"))]
mod openmp {
    pub(super) fn run<F: Fn() + Sync>(_threads: usize, _work: &F) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once() {
        for count in [0, 1, 2, 3, 17] {
            let mut done = vec![0; count];
            run(done.iter_mut().enumerate().collect(), |(at, done)| *done += at + 1);
            assert!(done.iter().enumerate().all(|(at, &done)| done == at + 1), "{done:?}");
        }
    }
}
