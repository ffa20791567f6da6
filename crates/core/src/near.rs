//! The word that somebody meant who wrote another.

/// The word that was meant, if one of them is near: two letters in six may differ, however it is cased and joined.
pub fn near<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = joined(found);
    let length = found.chars().count();
    let distances = words.into_iter().filter_map(|word| {
        let plain = joined(word);
        let other = plain.chars().count();
        let most = length.max(other).div_ceil(3);
        // Words of very unlike length are far from each other; to find out how far would cost their product.
        let distance = || strsim::damerau_levenshtein(&found, &plain);
        let distance = (length.abs_diff(other) <= most).then(distance)?;
        (distance <= most).then_some((distance, word))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// Names in any case and with any of `-`, `_` and nothing between their parts are one.
fn joined(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
