//! The word that was meant by a mistyped one.

/// The candidate nearest to `word`, when few letters are wrong.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(MAX_WORD).collect();
    candidates
        .map(|c| (strsim::damerau_levenshtein(&word, c), c))
        .filter(|(changes, candidate)| *changes <= 1 + candidate.len().min(word.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Longer than any command, option or setting.
const MAX_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_a_word_only_when_it_is_near() {
        let commands = ["list", "show", "stats", "install", "uninstall"];
        let near = |word: &str| nearest(word, commands.into_iter());
        for (word, meant) in [("lsit", "list"), ("lst", "list"), ("shwo", "show"), ("instal", "install")] {
            assert_eq!(near(word), Some(meant), "{word}");
        }
        for word in ["frobnicate", "", "x", "statistics"] {
            assert_eq!(near(word), None, "{word}");
        }
    }
}
