use super::*;

fn sizes(fast: usize, slow: usize) -> Pools {
    Pools {
        fast,
        slow,
        ..Pools::default()
    }
}

#[test]
fn each_pool_has_its_own_slots_and_a_clone_has_the_same() {
    let pools = PoolSlots::new(&sizes(2, 1));
    let clone = pools.clone();
    let held: Vec<_> = std::iter::from_fn(|| clone.fast.try_take()).collect();
    assert_eq!((held.len(), pools.fast.free(), pools.slow.free()), (2, 0, 1));
    pools.change(&sizes(1, 5));
    assert_eq!((clone.fast.max(), clone.fast.taken(), clone.slow.max()), (1, 2, 5));
    drop(held);
    assert_eq!(pools.fast.free(), 1);
}
