use proptest::prelude::*;

use super::*;

#[test]
fn fields_with_few_values_or_ids_and_paths_can_be_counted() {
    for (name, shown) in [("level", "level"), ("SOURCE", "source"), ("ctx.http.status", "ctx.http.status")] {
        assert_eq!(FacetField::parse(name).unwrap().name(), shown);
    }
    for wrong in ["", "message", "stack", "id", "ts", "received_at", "ctx", "ctx.", "nothing"] {
        assert!(FacetField::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn a_value_has_its_least_spelling_in_whatever_order_they_come() {
    for order in [["Straße", "STRAßE", "straße"], ["straße", "Straße", "STRAßE"]] {
        let mut map: ValueMap<u64> = ValueMap::new(10, 10_000, 10);
        for value in order {
            *map.entry(value).unwrap() += 1;
        }
        assert_eq!(map.into_values().collect::<Vec<_>>(), [("STRAßE".into(), 3)]);
    }
}

#[test]
fn what_finds_no_room_is_lost_to_the_map_and_known_values_are_still_counted() {
    let mut map: ValueMap<u64> = ValueMap::new(2, 10_000, 10);
    assert!(map.entry(&"x".repeat(MAX_VALUE_BYTES + 1)).is_none());
    assert!(!map.is_full(), "too long is not too many");
    for value in ["a", "b", "a"] {
        *map.entry(value).unwrap() += 1;
    }
    assert!(map.entry("c").is_none() && map.is_full());
    *map.entry("B").unwrap() += 1;
    assert_eq!(map.into_values().map(|(_, count)| count).sum::<u64>(), 4);
    let mut small: ValueMap<u64> = ValueMap::new(100, 50, 20);
    assert!(small.entry("a").is_some() && small.entry("b").is_some() && small.entry("c").is_none());
}

proptest! {
    #[test]
    fn merged_maps_are_as_one(values in proptest::collection::vec("[a-cA-C]{1,2}", 0..60), split in 0..60_usize) {
        let mut whole: ValueMap<u64> = ValueMap::new(8, 100_000, 10);
        let mut parts = [ValueMap::<u64>::new(8, 100_000, 10), ValueMap::new(8, 100_000, 10)];
        let mut lost = 0;
        for (position, value) in values.iter().enumerate() {
            if let Some(count) = whole.entry(value) {
                *count += 1;
            }
            match parts[usize::from(position >= split)].entry(value) {
                Some(count) => *count += 1,
                None => lost += 1,
            }
        }
        let was_full = whole.is_full();
        let [mut first, second] = parts;
        first.merge(second, |own, count| *own += count, |count| lost += count);
        prop_assert_eq!(first.is_full(), lost > 0);
        prop_assert!(first.len() <= 8);
        let sum = |map: ValueMap<u64>| {
            let mut all: Vec<_> = map.into_values().collect();
            all.sort();
            all
        };
        let merged = sum(first);
        prop_assert_eq!(merged.iter().map(|(_, count)| count).sum::<u64>() + lost, values.len() as u64);
        if !was_full {
            prop_assert_eq!(merged, sum(whole));
        }
    }
}
