//! Text that only the model's provider can read: a subagent's task may be sealed. It is named instead of shown.

use serde_json::Value;

/// Returns a text as it is, or what is known of one that is sealed.
pub(super) fn unsealed(text: &str) -> String {
    if is_sealed(text) {
        format!("[sealed by the provider, {} characters]", text.len())
    } else {
        text.to_owned()
    }
}

/// Returns arguments with their sealed texts named; other arguments as they are.
pub(super) fn unsealed_arguments(json: String) -> String {
    if !json.contains(MARK) {
        return json;
    }
    let Ok(Value::Object(mut map)) = serde_json::from_str(&json) else { return json };
    for value in map.values_mut() {
        if let Some(text) = value.as_str().filter(|text| is_sealed(text)) {
            *value = unsealed(text).into();
        }
    }
    Value::Object(map).to_string()
}

/// A Fernet token: its version and the first bytes of its time, in URL-safe base64.
fn is_sealed(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=');
    text.starts_with(MARK) && text.len() >= SHORTEST && text.bytes().all(fits)
}

const MARK: &str = "gAAAA";
/// A token of an empty text has 100 characters.
const SHORTEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_texts_are_named() {
        let token = format!("gAAAAA{}", "aB-_9".repeat(30));
        assert_eq!(unsealed(&token), "[sealed by the provider, 156 characters]");
        assert_eq!(unsealed("gAAAA is how they begin"), "gAAAA is how they begin");
        assert_eq!(unsealed("gAAAAshort"), "gAAAAshort");
        assert_eq!(unsealed(&"x".repeat(156)), "x".repeat(156));
        let arguments = format!("{{\"message\":\"{token}\",\"task_name\":\"helper\"}}");
        let shown = unsealed_arguments(arguments);
        assert!(
            shown.contains("sealed by") && shown.contains("helper") && !shown.contains(&token),
            "{shown}"
        );
    }
}
