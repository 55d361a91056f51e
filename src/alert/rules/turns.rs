//! Taking turns among projects, so that none waits behind what another one has to say.

use std::collections::BTreeMap;

/// The first of each project, then the second of each, and so on; those of a project stay in their order.
pub(super) fn in_turn<T>(all: Vec<T>, project: impl Fn(&T) -> i64) -> Vec<T> {
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    let mut placed: Vec<(usize, T)> = all
        .into_iter()
        .map(|one| {
            let before = seen.entry(project(&one)).or_default();
            *before += 1;
            (*before, one)
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_one_project_comes_after_the_first_of_every_other() {
        let all = vec![(1, 'a'), (1, 'b'), (1, 'c'), (2, 'd'), (3, 'e'), (3, 'f')];
        let turns: String = in_turn(all, |(project, _)| *project).into_iter().map(|(_, one)| one).collect();
        assert_eq!(turns, "adebfc");
    }
}
