//! The words that plans are named by. Short, plain, and easy to tell apart aloud.

pub(super) const WORDS: [&str; 128] = [
    "acorn", "alder", "amber", "anchor", "apple", "arrow", "aspen", "autumn", "badger", "barley",
    "basil", "beacon", "birch", "bison", "bramble", "breeze", "bridge", "bronze", "brook",
    "candle", "canyon", "cedar", "chalk", "cherry", "cinder", "cliff", "clover", "cobalt", "comet",
    "copper", "coral", "cotton", "crane", "creek", "cricket", "crystal", "daisy", "delta",
    "desert", "dune", "ember", "falcon", "feather", "fennel", "fern", "field", "finch", "flint",
    "forest", "fossil", "garden", "garnet", "ginger", "glacier", "granite", "grove", "harbor",
    "hazel", "heather", "heron", "hill", "honey", "iris", "island", "ivory", "ivy", "jasper",
    "juniper", "kelp", "lagoon", "lantern", "larch", "laurel", "lemon", "lily", "linden", "lotus",
    "maple", "marble", "marsh", "meadow", "mesa", "mint", "moss", "nectar", "nettle", "oak",
    "oasis", "olive", "onyx", "orchard", "otter", "owl", "pebble", "pepper", "pine", "plum",
    "pollen", "poppy", "prairie", "quartz", "quill", "raven", "reed", "ridge", "river", "robin",
    "rowan", "saffron", "sage", "sand", "shell", "slate", "sparrow", "spruce", "summit", "sunrise",
    "swift", "thistle", "tide", "timber", "topaz", "tulip", "valley", "walnut", "willow", "winter",
    "wren",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_there_once_and_is_a_word() {
        let mut sorted = WORDS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, WORDS);
        assert!(WORDS.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
    }
}
