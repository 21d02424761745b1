//! Finding the name that was probably meant.

/// Further apart than this, two names are different names and not a slip of the finger.
const MAX_DISTANCE: usize = 3;

/// Longer than this, a name is not compared at all.
const MAX_LENGTH: usize = 128;

/// The candidate closest to `name`, if one is close. Case does not count.
pub(crate) fn nearest(name: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    if name.len() > MAX_LENGTH {
        return None;
    }
    let wanted = name.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                distance(&wanted, &candidate.to_ascii_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= MAX_DISTANCE)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, by rows.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(name: &str) -> Option<String> {
        nearest(
            name,
            ["store.url", "ingress.listen", "subscriptions.listen"].map(String::from),
        )
    }

    #[test]
    fn distances_are_counted_in_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("flaw", "lawn"), 2);
    }

    #[test]
    fn the_closest_name_is_found_whatever_its_case() {
        assert_eq!(among("ingres.Listen").as_deref(), Some("ingress.listen"));
        assert_eq!(among("store.uri").as_deref(), Some("store.url"));
    }

    #[test]
    fn a_name_far_from_all_is_close_to_none() {
        assert_eq!(among("prober.unheard_of"), None);
        assert_eq!(among(&"x".repeat(10_000)), None);
    }
}
