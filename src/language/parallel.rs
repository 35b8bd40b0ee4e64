//! Work on several threads, the result of which does not depend on their number.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// Returns the results of `work` for each item and its position, in the order of the items. As many threads are used as the
/// machine has, but at most `most`.
pub fn map<T: Sync, R: Send>(items: &[T], most: usize, work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let most = most.min(items.len());
    let threads = if most > 1 { thread::available_parallelism().map_or(1, usize::from).min(most) } else { 1 };
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = vec![];
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, work(at, item)));
        }
    };
    let mut done = thread::scope(|scope| {
        // If no more threads can be started, the existing ones do all the work.
        let others: Vec<_> = (1..threads).filter_map(|_| Builder::new().spawn_scoped(scope, share).ok()).collect();
        let mut done = share();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        for most in [0, 1, 2, 8] {
            let squares = map(&items, most, |at, item| {
                // This lets several threads work at the same time.
                thread::yield_now();
                at * item
            });
            assert!(squares.iter().enumerate().all(|(i, square)| *square == i * i));
            assert_eq!(squares.len(), items.len());
        }
        assert!(map(&[] as &[u8], 8, |_, item| *item).is_empty());
    }
}
