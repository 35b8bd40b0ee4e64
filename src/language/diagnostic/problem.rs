//! Every mistake tracegen can report, as data. Codes are stable and never reused.

/// Declares the problems with their codes, so that the list of all codes cannot fall behind.
macro_rules! problems {
    ($($(#[$doc:meta])* $code:literal $name:ident $({ $($field:ident: $type:ty),* $(,)? })?,)*) => {
        /// What is wrong. Names and figures a message needs are fields; sentences stand in `wording`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Problem {
            $($(#[$doc])* $name $({ $($field: $type),* })?,)*
        }

        impl Problem {
            /// All codes there are, in the order of their declaration.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// `E....` for an error, `W....` for a warning.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Problem::$name { .. } => $code,)*
                }
            }
        }
    };
}

problems! {
    // E01xx: the file and its YAML

    /// The file or directory cannot be read; `reason` is the system's.
    "E0101" Unreadable { reason: String },
    /// Neither a file nor a directory: a FIFO, a socket, a device.
    "E0102" NotAFile { what: &'static str },
    /// A directory without scenario files.
    "E0103" NoFiles,
    /// One file (`all` false), or all files together, are larger than tracegen reads.
    "E0104" TooLarge { bytes: u64, limit: u64, all: bool },
    /// Not UTF-8 from here on.
    "E0105" NotUtf8,
    /// A character that YAML forbids, most often NUL.
    "E0106" ControlCharacter { character: char },
    /// Not YAML; `message` is the parser's, `hint` what was probably meant.
    "E0107" Syntax { message: String, hint: Option<&'static str> },
    /// Nested deeper than `limit` levels.
    "E0108" NestedTooDeep { limit: usize },
    /// More than `limit` nodes in one document.
    "E0109" TooManyNodes { limit: usize },
    /// Aliases stand for more than `limit` nodes.
    "E0110" AliasBomb { limit: usize },
    /// `*name` without a `&name` before it.
    "E0111" UnknownAlias { name: String, nearest: Option<String> },
    /// `*name` inside the node that `&name` marks.
    "E0112" RecursiveAlias { name: String },
    /// `&name` that nothing refers to.
    "E0113" UnusedAnchor { name: String },
    /// `!something`.
    "E0114" Tag { tag: String },
    /// A key that stands in the mapping already.
    "E0115" DuplicateKey { key: String },
    /// A key that is a list or a mapping.
    "E0116" KeyNotText,
    /// `<<:` with something else than a mapping or a list of mappings.
    "E0117" BadMerge,
    /// More mistakes than are shown.
    "E0118" TooManyMistakes { limit: usize },

    // E02xx: fields and their values

    /// `hint` says where the field belongs, or that this version does not know it.
    "E0201" UnknownField { field: String, of: &'static str, nearest: Option<String>, hint: Option<&'static str> },
    "E0202" MissingField { field: &'static str, of: &'static str },
    /// A value of another shape than the field takes. `instead` is what to write, where that is known.
    "E0203" Mistyped { what: String, expected: &'static str, found: String, instead: Option<String> },
    /// A span of a service that no list holds.
    "E0204" UnknownService { name: String, nearest: Option<String> },
    /// Two fields that mean the same, or exclude each other.
    "E0205" Conflict { field: &'static str, other: &'static str },
    "E0206" RangeUpsideDown { min: String, max: String },
    "E0207" NegativeDelay { value: String },
    /// A percentage outside 0..100.
    "E0208" PercentOutOfRange { value: String },
    /// A weight below 0.
    "E0209" NegativeWeight { value: String },
    "E0210" SchemaVersion { value: String },
    /// An attribute or a var without a value.
    "E0211" NullValue { what: &'static str, hint: Option<&'static str> },
    /// A list whose items are not of one type.
    "E0212" MixedList { first: &'static str, other: &'static str },
    /// A number that the field or a 64-bit value cannot hold.
    "E0213" NumberOutOfRange { value: String, range: &'static str },
    /// A step with `calls`.
    "E0214" StepWithCalls,
    "E0215" UnknownKind { kind: String, nearest: Option<String> },
    /// A var under one of the language's own names.
    "E0216" ReservedName { name: String },
    /// A var under a name that no expression can spell.
    "E0217" BadVarName { name: String },
    /// A text, list or key that must not be empty.
    "E0218" Empty { what: String },
    /// A service that is listed already, with other properties.
    "E0219" DuplicateService { name: String },
    /// More spans below each other than `limit`.
    "E0220" CallsTooDeep { limit: usize },
    /// Scenarios, or what belongs to them, in a `_base.yaml`.
    "E0221" ScenarioInBase { field: String },
    /// A directory's `_base.yaml` that was given as a scenario file.
    "E0222" NotAScenarioFile { name: String },

    // E03xx: templates

    /// A function nobody knows.
    "E0301" UnknownFunction { name: String, nearest: Option<String> },
    /// `<<` or `{{` that nothing closes; `quote`: perhaps because a quote hides what would.
    "E0302" Unclosed { open: &'static str, quote: bool },
    /// Not an expression.
    "E0303" BadExpression { expected: String, found: String, hint: Option<&'static str> },
    /// Nothing between `<<` and `>>`.
    "E0304" EmptyExpression { open: &'static str },
    /// A template longer, or an expression deeper, than tracegen reads.
    "E0305" TemplateTooLarge { what: &'static str, limit: usize },
    /// A number in an expression that 64 bits cannot hold.
    "E0306" LiteralOutOfRange { value: String },
    /// `<<x>>: 5`.
    "E0307" TemplateAsKey,
    /// A template where only a constant may stand.
    "E0308" TemplateNotAllowed { what: String },
    /// An expression of one kind closed with the other's sign.
    "E0309" WrongClose { open: &'static str, close: &'static str },
    /// An unquoted `{{x}}`, which YAML reads as a mapping.
    "E0310" BracesAreMapping { template: String },
    /// An unquoted `<<f(a, b)>>` inside `{...}` or `[...]`.
    "E0311" CutAtComma { template: String },

    // E04xx: names
    // E05xx: types and figures
    // E06xx: links, bounds, the whole
    // W....: warnings

    /// A comment swallows what looks like the rest of a template.
    "W0101" CommentHidesTemplate { text: String },
    /// Nothing in the file.
    "W0102" NoScenarios,
    /// 0.05 where 5 was probably meant.
    "W0201" FractionalPercent { value: String },
    /// `007` as the value of an attribute is 7.
    "W0202" LeadingZero { written: String, value: String },
    /// `yes`, which is text in YAML 1.2 and was a boolean in 1.1.
    "W0203" LooksBoolean { word: String },
    /// `1.10` under a key about versions is the number 1.1.
    "W0204" LooksLikeVersion { written: String, value: String },
    /// A block scalar whose last newline makes text of what would be one expression.
    "W0301" NewlineAfterExpression,
}
