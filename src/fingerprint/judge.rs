//! Which frames of a trace count: those of the application's own code, each once, or all where there are none.

use super::library;
use super::line::Frame;
use super::name::{self, Place};
use super::stack::{MAX_COUNTED, SeenFrame, Verdict};

/// Says of each frame whether it counts.
pub(super) fn judge(frames: &[Frame<'_>]) -> Vec<SeenFrame> {
    let marks: Vec<Option<&'static str>> = frames.iter().map(library::mark).collect();
    let any_own = marks.iter().any(Option::is_none);
    let places: Vec<Place> = frames.iter().map(|frame| Place::of(frame.file)).collect();
    let owned = places.iter().zip(&marks).filter(|(_, mark)| mark.is_none() || !any_own);
    let root = name::common_folder(owned.map(|(place, _)| place));
    let mut seen: Vec<SeenFrame> = Vec::with_capacity(frames.len());
    let mut counted = 0;
    for ((frame, place), mark) in frames.iter().zip(&places).zip(&marks) {
        let mut function = name::function(frame.language, frame.function);
        // Names of one or two letters in a bundle are made anew with each build.
        if place.built && name::is_minified(&function) {
            function.clear();
        }
        let file = place.below(&root);
        let same = |one: &SeenFrame| one.verdict.counts() && one.function == function && one.file == file;
        let verdict = match mark {
            Some(mark) if any_own => Verdict::Library(mark),
            _ if seen.iter().any(same) => Verdict::Repeated,
            _ if counted == MAX_COUNTED => Verdict::Beyond,
            None => Verdict::Own,
            Some(_) => Verdict::OnlyLibraries,
        };
        counted += usize::from(verdict.counts());
        seen.push(SeenFrame { function, file, verdict });
    }
    seen
}
