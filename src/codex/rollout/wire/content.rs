//! The texts and images of which messages, prompts and tool outputs consist.

use serde_json::Value;

use super::super::Image;
use super::value::{as_text, text};

/// The texts and images of a message's content.
pub(super) fn content(content: &Value) -> (String, Vec<Image>) {
    let Value::Array(parts) = content else { return (as_text(content), Vec::new()) };
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for part in parts {
        let image = ["image_url", "url", "path"].iter().find_map(|name| text(part, name));
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind.contains("mage") {
            if let (Some(data), Some(mime)) = (text(part, "data"), text(part, "mimeType")) {
                images.push(Image(format!("data:{mime};base64,{data}")));
            } else {
                images.extend(image.map(Image));
            }
        } else if let Some(text) = text(part, "text") {
            texts.push(text);
        }
    }
    (texts.join("\n"), images)
}
