//! What a provider answered of a message besides its word: codes and descriptions, as they came.

/// The texts that are there, each once, in this order, with a space between them.
pub(crate) fn joined<const N: usize>(texts: [Option<String>; N]) -> Option<String> {
    let mut said = Vec::<String>::with_capacity(N);
    for text in texts.into_iter().flatten() {
        if !said.contains(&text) {
            said.push(text);
        }
    }
    (!said.is_empty()).then(|| said.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_joined_and_said_once() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(joined([None, None]), None);
        assert_eq!(joined([text("30003"), None]), text("30003"));
        assert_eq!(
            joined([text("001"), None, text("Absent"), text("001")]),
            text("001 Absent")
        );
    }
}
