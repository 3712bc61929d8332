//! Many clients at the same moment.

use std::sync::Barrier;

/// Does something `count` times at once, each on a thread of its own, all begun together. The answers are in the order of
/// the numbers that were given out. Needs a runtime with several threads.
pub(crate) fn together<T, F>(count: usize, work: impl Fn(usize) -> F + Sync) -> Vec<T>
where
    T: Send,
    F: Future<Output = T>,
{
    let runtime = tokio::runtime::Handle::current();
    let start = Barrier::new(count);
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let (runtime, start, work) = (&runtime, &start, &work);
            let one = |number| {
                move || {
                    start.wait();
                    runtime.block_on(work(number))
                }
            };
            let threads: Vec<_> = (0..count).map(|number| scope.spawn(one(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    })
}
