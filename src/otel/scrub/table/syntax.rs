//! The syntax around names, values and keys, as patterns.

use crate::otel::scrub::lazy::Lazy;

/// The sequence of a colour, behind its escape as it is or as programs write it.
pub(in crate::otel::scrub) static COLOUR: Lazy =
    Lazy::new(r"\A(?:\x1b|u001[bB]|x1[bB]|033|e)\[[\d;:?]{0,16}[A-Za-z]");

/// What stands before the name of an element, or of what an element holds.
pub(in crate::otel::scrub) static OPEN: Lazy = Lazy::new(
    r#"(?:<|<key>|<(?:entry|prop|property|string|setting|param|parameter|variable)\s[^<>]{0,80}?(?:key|name|id)=")\z"#,
);

/// What stands between a name and the value that its element, or the next one, holds.
pub(in crate::otel::scrub) static ELEMENT: Lazy =
    Lazy::new(r#"\A(?:"?>(?:<Value>)?|</key>\s{0,40}<string>)"#);

/// A name that a line assigns to.
pub(in crate::otel::scrub) static VARIABLE: Lazy = Lazy::new(r"\A[A-Z0-9_]+=");

/// The sign of a block and the blanks before its first line.
pub(in crate::otel::scrub) static BLOCK: Lazy = Lazy::new(r"\A[|>][+-]?\d?[+-]?\r?\n[ \t]*");

/// A type, a tag or an anchor before a value, and the same up to the quote of the value.
pub(in crate::otel::scrub) static TYPE: Lazy = Lazy::new(r"\Astring\(\d+\) ");

pub(in crate::otel::scrub) static DRESSED: Lazy =
    Lazy::new(r#"\A(?:string\(\d+\) )?(?:[\w:@$&#(!]{0,38}\(|r#|[\w:@$&#(!]?)["'`]"#);

pub(in crate::otel::scrub) static FIELD: Lazy =
    Lazy::new(r"\A(?:[&!]\S{1,60} )?(?:[\w&'<>\[\] .:|?]{0,48}=[ \t]{0,48})?");

pub(in crate::otel::scrub) static DRESSED_FIELD: Lazy = Lazy::new(
    r#"\A(?:[&!]\S{1,60} )?(?:[\w&'<>\[\] .:|?]{0,48}=[ \t]{0,48})??(?:[\w:@$&#(!]{0,38}\(|r#|[\w:@$&#(!]?)["'`]"#,
);

/// Signs that separate the cells of a line, each with what a cell is.
pub(in crate::otel::scrub) static SIGNS: [(Lazy, Lazy); 5] = [
    (Lazy::new(r"\|"), Lazy::new(r"[^|\n]*")),
    (Lazy::new(r"\t"), Lazy::new(r"[^\t\n]*")),
    (Lazy::new(";"), Lazy::new(r#"[ ]*"(?:[^"\n]|"")*"|[^;\n]*"#)),
    (Lazy::new(","), Lazy::new(r#"[ ]*"(?:[^"\n]|"")*"|[^,\n]*"#)),
    (Lazy::new("  "), Lazy::new(r"\S+(?: \S+)*")),
];

/// What follows the title of a column.
pub(in crate::otel::scrub) static EDGE: Lazy = Lazy::new(r#"\A["'`]?(?:[ \t]*[,;|\n\r]|[ \t]*\t|  )"#);

pub(in crate::otel::scrub) static COLUMN_TITLE: Lazy = Lazy::new(r"\A[A-Za-z][\w ./()-]{0,39}\z");

/// The rule below a header.
pub(in crate::otel::scrub) static RULE: Lazy = Lazy::new(r"\A[-+|=: ]*--[-+|=: ]*\z");

/// What stands between a word and the value that it is given.
pub(in crate::otel::scrub) static GIVEN: Lazy = Lazy::new(r#"\A["'`]?[ \t]{0,16}[:=][ \t]{0,16}["'`]?"#);

/// What stands between two objects, or two items of a list.
pub(in crate::otel::scrub) static APART: Lazy = Lazy::new(r"[{}<;]|\n-|- ");

/// The data of a manifest, and a pair of it up to the value.
pub(in crate::otel::scrub) static DATA: Lazy = Lazy::new(r#"\b(?:data|stringData)["']?:[ \t]*(?:\r?\n|\{)"#);

pub(in crate::otel::scrub) static PAIR: Lazy = Lazy::new(r#"\A[\s,]*["']?[\w.-]+["']?:[ \t]*"#);

/// What stands before the host: up to the last sign of the authority. A password may have a `?` or `#` in it, and a
/// database's a `/` too, unless that follows a port.
pub(in crate::otel::scrub) static USER: Lazy = Lazy::new(
    r#"(?x)\A(?: [^\s"'`<>(){}|,;\\:@/?\#]*:(?: \d*[^\s"'`<>(){}|,;\\@/?\#\d][^\s"'`<>(){}|,;\\@/]* | \d+ )?
    (?:@[^\s"'`<>(){}|,;\\@/?\#]*)* | [^\s"'`<>(){}|,;\\/?\#]* )@"#,
);

pub(in crate::otel::scrub) static DATABASE_USER: Lazy = Lazy::new(
    r#"(?x)\A(?: [^\s"'`<>:@/?\#]*:(?: \d*[^\s"'`<>@/?\#\d][^\s"'`<>@]* | \d+ )?
    (?:@[^\s"'`<>@/?\#]*)* | [^\s"'`<>/?\#]* )@"#,
);

/// A long run of base64.
pub(in crate::otel::scrub) static LINE: Lazy = Lazy::new("[A-Za-z0-9+/=]{40,}");

/// What ends the lines of a key.
pub(in crate::otel::scrub) static BOUND: Lazy = Lazy::new("BEGIN |-END ");

/// `BEGIN … PRIVATE KEY` or its footer, also broken by a terminal.
pub(in crate::otel::scrub) static KEY_TITLE: Lazy = Lazy::new(
    r"\A(?:BEGIN|END)\s(?:[A-Z0-9]{2,9}[ \r\n]+){0,3}?P[\r\n]*R[\r\n]*I[\r\n]*V[\r\n]*A[\r\n]*T[\r\n]*E[ \r\n]+K[\r\n]*E[\r\n]*Y(?:\s?BLOCK)?(?: ?-{4,6})?",
);

/// What stands before the name of a flag, of what a command sets, of a setting, of a cell of a table, and of the first
/// argument of a call.
pub(in crate::otel::scrub) static FLAG_LEAD: Lazy = Lazy::new(r"(?:\A|[^-])--?\z");
pub(in crate::otel::scrub) static SETTER: Lazy =
    Lazy::new(r"(?i)(?:env|setenv|setx|set -(?:[gulU]?x|x[gulU])) \z");
pub(in crate::otel::scrub) static SETTING_LEAD: Lazy = Lazy::new(r#"\A[ \t"'-]*\z"#);
pub(in crate::otel::scrub) static CELL: Lazy = Lazy::new(r#"(?:\A|[|\n\r])[ \t*`"'-]*\z"#);
pub(in crate::otel::scrub) static ARGUMENT: Lazy = Lazy::new(r#"[(\[]\s*["'`]\z"#);
