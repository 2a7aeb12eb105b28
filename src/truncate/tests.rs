//! Tests of the shortener.

use super::*;

fn shortened(text: &[u8], limit: usize, step: usize) -> Option<String> {
    let mut shortener = Shortener::new(limit);
    text.chunks(step).for_each(|chunk| shortener.push(chunk));
    shortener.finish().map(|out| String::from_utf8(out).unwrap())
}

#[test]
fn shortener_cuts_strings_in_any_chunking() {
    for (text, want) in [
        (r#"{"a":1,"b":["xy",null]}"#, r#"{"a":1,"b":["xy",null]}"#),
        (r#"["abcdefgh"]"#, r#"["abcd… [cut: 4 of 8 bytes]"]"#),
        (r#"["ab\n\"cdef"]"#, r#"["ab\n\"… [cut: 4 of 8 bytes]"]"#),
        (r#"["a bcdef"]"#, r#"["a … [cut: 5 of 7 bytes]"]"#),
        (r#"["a\\bcdef"]"#, r#"["a\\… [cut: 5 of 7 bytes]"]"#),
        (r#"["\u00e9bcdef"]"#, r#"["\u00e9… [cut: 5 of 7 bytes]"]"#),
        (r#"["aaaé"]"#, r#"["aaa… [cut: 2 of 5 bytes]"]"#),
        (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#),
        (r#"["\ud83d","\udc00a"]"#, r#"["\ufffd","\ufffda"]"#),
        (r#"["\ud83d\ud83dx"]"#, r#"["\ufffd… [cut: 4 of 7 bytes]"]"#),
    ] {
        for step in 1..text.len() {
            let got = shortened(text.as_bytes(), 4, step);
            assert_eq!(got.as_deref(), Some(want), "{text} by {step}");
        }
        serde_json::from_str::<serde_json::Value>(want).unwrap();
    }
}

#[test]
fn huge_string_takes_bounded_memory() {
    let mut shortener = Shortener::new(1000);
    shortener.push(b"{\"x\":\"");
    for _ in 0..1000 {
        shortener.push(&[b'y'; 100_000]);
    }
    shortener.push(b"\",\"after\":true}");
    let kept = shortener.finish().unwrap();
    assert!(kept.capacity() < 10_000);
    let value: serde_json::Value = serde_json::from_slice(&kept).unwrap();
    assert!(value["x"].as_str().unwrap().ends_with("[cut: 99999000 of 100000000 bytes]"));
    assert_eq!(value["after"], true);
}

#[test]
fn endless_structure_is_given_up() {
    let mut shortener = Shortener::new(1000);
    for _ in 0..100 {
        shortener.push(&[b'['; 1_000_000]);
    }
    assert!(shortener.finish().is_none());
    assert!(
        shortened(&[b"\"\\u12"[..].repeat(2_000_000)].concat(), 10, 65536)
            .is_none_or(|o| o.len() < 20_000_000)
    );
}

#[test]
fn payload_of_small_values_keeps_the_fields_around_them() {
    for inner in ["{\"a\":[1,2]},", "\"x\",", "17,", "[[]],", "\"\\n\\n\\n\","] {
        let text = format!("{{\"id\":\"t\",\"out\":[{}0],\"call\":\"c1\"}}", inner.repeat(4000));
        for step in [1, 7, 4096] {
            let mut shortener = Shortener::bounded(1000, 5000);
            text.as_bytes().chunks(step).for_each(|chunk| shortener.push(chunk));
            let out = shortener.finish().expect("kept");
            let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            assert_eq!((&value["id"], &value["call"]), (&"t".into(), &"c1".into()), "{inner}");
            assert!(!value["out"].as_array().unwrap().is_empty() && out.len() < 9000, "{inner}");
        }
    }
}

#[test]
fn payload_of_escapes_is_cut_and_not_dropped() {
    let text = format!("{{\"out\":\"{}\",\"call\":\"c1\"}}", "\\u0001".repeat(4000));
    let mut shortener = Shortener::bounded(100_000, 5000);
    shortener.push(text.as_bytes());
    let value: serde_json::Value = serde_json::from_slice(&shortener.finish().expect("kept")).unwrap();
    assert!(value["out"].as_str().unwrap().ends_with("of 4000 bytes]"), "{value}");
}

#[test]
fn mark_keeps_the_first_length_however_often_a_text_is_cut() {
    let first = shortened(format!("[\"{}\"]", "word ".repeat(2000)).as_bytes(), 1000, 9).unwrap();
    assert!(first.ends_with("of 10000 bytes]\"]"), "{first}");
    let scrubbed = first.replacen("word word", "<secret:x>", 3);
    for text in [&first, &scrubbed] {
        let again = shortened(text.as_bytes(), 300, 9).unwrap();
        assert!(again.ends_with("of 10000 bytes]\"]") && again.len() < 350, "{again}");
        let plain: Vec<String> = serde_json::from_str(text).unwrap();
        assert!(cut(&plain[0], 300).ends_with("of 10000 bytes]"));
    }
}

#[test]
fn invalid_utf8_is_mended() {
    assert_eq!(shortened(b"[\"a\xff\"]", 10, 1).as_deref(), Some("[\"a\u{fffd}\"]"));
}

#[test]
fn half_a_key_is_never_kept() {
    let key = format!("sk-{}", "a1B2".repeat(40));
    for limit in 20..60 {
        assert_eq!(cut_at_word(&format!("the key is {key} here"), limit).find("sk-"), None);
        let json = format!("[\"the key is {key} here\"]");
        assert!(!shortened(json.as_bytes(), limit, 7).unwrap().contains("sk-"));
    }
}

#[test]
fn cut_string_keeps_its_mark() {
    let once = shortened(br#"["one two three four"]"#, 10, 3).unwrap();
    assert_eq!(once, r#"["one two … [cut: 10 of 18 bytes]"]"#);
    assert_eq!(shortened(once.as_bytes(), 10, 3).unwrap(), once);
    let short = r#"["\"\"\"\"… [cut: 4 of 8 bytes]"]"#;
    assert_eq!(shortened(short.as_bytes(), 29, 3).unwrap(), short, "the limit falls into the mark");
    let escaped = shortened(br#"["one\ntwo\nthree four"]"#, 10, 3).unwrap();
    assert_eq!(shortened(escaped.as_bytes(), 10, 3).unwrap(), escaped);
}
