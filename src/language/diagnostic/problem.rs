//! Every mistake tracegen can report, as data. Codes are stable and never reused.

use std::time::Duration;

/// Declares the problems by class with their codes, so that neither the list of all codes nor a class can fall behind.
macro_rules! problems {
    ($($class:ident {
        $($(#[$doc:meta])* $code:literal $name:ident $({ $($field:ident: $type:ty),* $(,)? })?,)*
    })*) => {
        /// What is wrong. Names and figures a message needs are fields; sentences stand in `wording`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Problem {
            $($($(#[$doc])* $name $({ $($field: $type),* })?,)*)*
        }

        impl Problem {
            /// All codes there are, in the order of their declaration.
            pub const CODES: &'static [&'static str] = &[$($($code),*),*];

            /// The code that users search for: `E....` for an error, `W....` for a warning.
            pub fn code(&self) -> &'static str {
                match self {
                    $($(Problem::$name { .. } => $code,)*)*
                }
            }

            /// What the problem means for the compile.
            pub fn class(&self) -> Class {
                match self {
                    $($(Problem::$name { .. } => Class::$class,)*)*
                }
            }
        }
    };
}

/// What a problem means for the compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An error because of which a file, or a part of it, could not be read: what stands there is unknown.
    File,
    /// Any other error.
    Error,
    /// A warning: it does not fail the compile.
    Warning,
}

problems! {
    File {
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
    }

    Error {
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
        /// A group of calls with a delay of its own.
        "E0240" DelayOfGroup,
        /// A word that only a call of a span may have, on a group or on work between calls.
        "E0241" WordOfCall { word: String },
        /// `client` on a span that is no SERVER.
        "E0242" ClientOfNoServer,
        /// An error condition at the end of its span that takes time in place of the span's work, which is over.
        "E0243" DelayAtEnd,
        /// What W3C Trace Context does not take as a trace state.
        "E0244" TraceState { why: &'static str },
        /// A directory's `_base.yaml` that was given as a scenario file.
        "E0222" NotAScenarioFile { name: String },
        /// A percentile that is not below the next, or a `max` below what the distribution says. `least` is the value of `low`.
        "E0223" NotIncreasing { low: String, high: String, least: String, value: String },
        /// A distribution of no form, or of several.
        "E0224" DistributionForm { found: Vec<&'static str> },
        /// Percentiles that are neither two, nor have `p0` and `p100` among them.
        "E0225" PercentileSet,
        /// A mix as a part of a mix.
        "E0226" NestedMix,
        /// A mix whose parts all have a condition.
        "E0227" MixWithoutWeight,
        /// A distribution that is cut at an hour, and says that times are longer.
        "E0228" NeedsMax { name: String, value: String },
        /// More or fewer weights than choices.
        "E0229" ChoiceWeights { choices: usize, weights: usize },
        /// A row that lacks a column of the first, or has one that the first lacks.
        "E0230" RowColumns { column: String, missing: bool },
        /// Rows to choose from where one value is wanted.
        "E0231" RowsInAttribute,

        /// Lists and maps that stand deeper in each other than `limit`.
        "E0236" ValueTooDeep { limit: usize },
        /// A table that cannot be read.
        "E0232" TableUnreadable { file: String, reason: String },
        /// A line of a table that has more or fewer values than there are columns.
        "E0233" TableRow { file: String, line: u64, found: usize, columns: usize },
        /// A table without rows, or whose columns have no names of their own.
        "E0234" TableHead { file: String, why: String },
        /// A table where no file may be read.
        "E0235" TablesNotRead { file: String },

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

        /// A bare name that is no var and no attribute here.
        "E0401" UnknownName { name: String, nearest: Option<String> },
        /// `vars.x` without such a var.
        "E0402" UnknownVariable { name: String, nearest: Option<String> },
        /// `of` is `parent` or `root`; `above`: a span further up has the attribute.
        "E0403" UnknownAttribute { of: &'static str, key: String, nearest: Option<String>, above: bool },
        /// A name of the language that has no value here.
        "E0404" NotAvailable { name: String, why: Unavailable },
        /// One of the language's own words, but not what follows it.
        "E0405" NotAValue { name: String, instead: &'static str },
        "E0406" VariableCycle { path: Vec<String> },
        /// Attributes of one span that need each other.
        "E0407" AttributeCycle { path: Vec<String>, has_parent: bool },
        "E0408" UnknownFilter { name: String, nearest: Option<String> },
        "E0409" DuplicateScenario { name: String },
        /// A service attribute that tracegen writes itself.
        "E0410" ServiceAttributeTaken { key: String, field: &'static str },
        /// A var that is a row, read without a column; `column` is one.
        "E0411" RowNotAValue { name: String, column: String },
        /// A column that the row does not have.
        "E0412" UnknownColumn { name: String, nearest: Option<String> },

        /// A client without an operation of its own, whose server's reads the server's attributes.
        "E0414" OperationOfServer,
        /// `error` or `ok` where no call stands before it whose outcome it could be.
        "E0413" NoCallBefore { name: String },

        // E05xx: types and figures

        "E0501" ArgumentCount { usage: &'static str, least: usize, most: usize, found: usize },
        "E0502" ArgumentType { usage: &'static str, expected: &'static str, found: &'static str, quoted: bool },
        /// An argument that must be known when compiling.
        "E0503" ArgumentNotConstant { usage: &'static str },
        "E0504" ArgumentRange { usage: &'static str, allowed: String, found: String },
        "E0505" ArgumentsUpsideDown { usage: &'static str, min: String, max: String },
        "E0506" NotAList { usage: &'static str },
        "E0507" EmptyList { usage: &'static str },
        /// The weights of a choice are all 0.
        "E0508" WeightSum,
        "E0509" DuplicateChoice,
        /// Text with a number, a bool with text: never equal, never ordered.
        "E0510" Incomparable { left: &'static str, right: &'static str, quoted: bool },
        "E0511" OperandType { operator: &'static str, expected: &'static str, found: &'static str, quoted: bool },
        /// text + something that is not text.
        "E0512" JoinedWithText { found: &'static str },
        /// A list, a map or bytes (`found`) in a text.
        "E0513" ListInText { found: &'static str },
        /// The same in a list of an expression.
        "E0514" NestedList { found: &'static str },
        /// `{...}` anywhere but in `random.weighted` and `lookup`.
        "E0515" MapOutOfPlace,
        /// Probabilities of a span's error conditions that sum to more than 100.
        "E0516" ProbabilitySum { sum: f64 },
        /// A delay longer than `limit`, in hours.
        "E0517" DelayTooLong { limit: u64 },
        /// A number of turns or links (`what`) that nothing bounds, or by more than `limit`.
        "E0530" TurnsWithoutBound { what: &'static str, most: Option<i64>, limit: u32 },
        /// Weights, of scenarios or of a choice, that sum to infinity.
        "E0518" WeightOverflow,
        /// A key of `lookup` that is computed.
        "E0519" KeyNotConstant,
        /// A computed number that has no known end.
        "E0520" Unbounded { usage: &'static str },

        // E06xx: links, bounds, the whole

        "E0601" LinkedWithoutLink { name: String },
        /// `exported`: what the keys look like that there are.
        "E0602" GlobMatchesNothing { glob: String, same_trace: bool, exported: Vec<String> },
        /// Scenarios that link to each other in a circle.
        "E0603" LinkCycle { path: Vec<String> },
        /// None of the spans that the link can find has the attribute.
        "E0604" UnknownLinkedAttribute { key: String, nearest: Option<String> },
        "E0605" LinkChain { path: Vec<String>, limit: u32 },
        "E0606" TooManySpans { found: usize, limit: usize },
        "E0607" AllWeightsZero,
        "E0608" NoScenario,
        /// What the scenario makes is beyond a bound of the plan.
        "E0609" BeyondLimits { fault: String },
        /// The time that the compilation was given is over, or it was cancelled (`after`: none).
        "E0610" Stopped { after: Option<Duration> },
        /// A trace may have more spans than a span id counts; `factors`: the turns on the way to the spans that there are most of.
        "E0612" TraceTooLarge { spans: u64, limit: u32, factors: Vec<u64> },
        /// Comparing the globs of links with the keys is more work than is allowed.
        "E0611" LinksTakeLong { globs: usize, keys: usize },
        /// The verifier refused what the compiler made.
        "E0699" Internal { violation: String },

        // E07xx: shared spans

        "E0701" UnknownShared { name: String, nearest: Option<String> },
        /// A value for something that the shared span does not ask for.
        "E0702" UnknownParameter { name: String, shared: String, nearest: Option<String> },
        /// No value for a parameter that has none of its own.
        "E0703" MissingParameter { name: String, shared: String },
        /// Shared spans that are made from, or call, each other in a circle.
        "E0704" UseCycle { path: Vec<String> },
        /// Calls in the span and in the shared one that it is made from.
        "E0705" CallsTwice { shared: String },
        /// A shared span that is made from another, which is made from another, ...
        "E0706" UsesTooLong { limit: usize },
        /// More than is compiled, once all shared spans stand where they are used.
        "E0707" SharedTooMuch { limit: usize },
    }

    Warning {
        /// A comment swallows what looks like the rest of a template.
        "W0101" CommentHidesTemplate { text: String },
        /// `&name` that nothing refers to.
        "W0103" UnusedAnchor { name: String },
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
        /// `${x}`, where `x` is a name that has a value.
        "W0302" ShellTemplate { name: String },
        /// A version that none of a service's instances is.
        "W0206" VersionOfNone { version: String, instances: u32 },
        /// A block scalar whose last newline makes text of what would be one expression.
        "W0301" NewlineAfterExpression,
        /// A value that may be absent, in a text or a condition.
        "W0501" MayBeAbsent,
        /// A quoted expression as an attribute that is an int by the semantic conventions.
        "W0205" QuotedInteger { key: String },
        /// A SERVER directly below a SERVER, of which nothing says that it has no client.
        "W0504" ServerCallsServer,
        /// A var, or a parameter of a shared span, that no expression reads.
        "W0502" UnusedVar { name: String },
        /// A service in a list that no span is of.
        "W0503" UnusedService { name: String },
        /// A shared span that no scenario uses.
        "W0701" UnusedShared { name: String },
        /// A shared span with the name of one of the prelude's (`is_prelude`), or of the directory's.
        "W0702" HidesShared { name: String, is_prelude: bool },
    }
}

impl Problem {
    /// A name that is probably misspelt, and what was meant: putting the one in the other's place may mend it.
    pub fn misspelt(&self) -> Option<(&str, &str)> {
        use Problem::*;
        let (wrong, right) = match self {
            UnknownAlias { name, nearest }
            | UnknownService { name, nearest }
            | UnknownFunction { name, nearest }
            | UnknownName { name, nearest }
            | UnknownVariable { name, nearest }
            | UnknownColumn { name, nearest }
            | UnknownFilter { name, nearest }
            | UnknownShared { name, nearest }
            | UnknownParameter { name, nearest, .. } => (name, nearest),
            UnknownField { field, nearest, .. } => (field, nearest),
            UnknownKind { kind, nearest } => (kind, nearest),
            UnknownAttribute { key, nearest, .. } | UnknownLinkedAttribute { key, nearest } => (key, nearest),
            _ => return None,
        };
        Some((wrong, right.as_deref()?))
    }
}

impl Problem {
    /// Whether it is that nothing uses what is written.
    pub fn is_unused(&self) -> bool {
        matches!(self, Problem::UnusedVar { .. } | Problem::UnusedService { .. } | Problem::UnusedShared { .. })
    }
}

/// Why a name of the language has no value where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// `parent` in a root span.
    NoParent,
    /// Something of a span, in `vars`.
    BeforeSpans,
    /// Something of a span, in what is given to the shared spans that it is made from.
    BeforeSpan,
    /// `context_key` in a span without `export_context_as`.
    NoContextKey,
    /// What is evaluated only once the span's links are found, in one of them.
    BeforeAttributes,
    /// `service.version` in a span of a service that has none.
    NoVersion,
    /// `instance` in a service, or in a span of one, without `instances`.
    NoInstances,
    /// Something of a trace, in a service's attributes.
    InServices,
    /// `repeat` outside of an item that has one.
    NoRepeat,
    /// `retry` outside of a call that has one.
    NoRetry,
    /// `error` or `ok` anywhere but in the words of an item.
    OutsideItems,
    /// `error.propagated` anywhere but in a condition `at: end`.
    BeforeEnd,
    /// An attribute that reads the answer, before there is one.
    NoAnswer,
    /// `callee` anywhere but in what a `client` says of its attributes and of what comes after its call.
    NoCallee,
}
