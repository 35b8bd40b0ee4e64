//! Every mistake that tracegen can report, as data. Codes are stable and never reused.

use std::time::Duration;

/// Declares the problems by class with their codes, so that the list of all codes and the classes are always complete.
macro_rules! problems {
    ($($class:ident {
        $($(#[$doc:meta])* $code:literal $name:ident $({ $($field:ident: $type:ty),* $(,)? })?,)*
    })*) => {
        /// A mistake. Names and figures for the message are fields; the sentences are in `wording`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Problem {
            $($($(#[$doc])* $name $({ $($field: $type),* })?,)*)*
        }

        impl Problem {
            /// All codes, in the order of their declaration.
            pub const CODES: &'static [&'static str] = &[$($($code),*),*];

            /// Returns the code that users can search for: `E....` for an error, `W....` for a warning.
            pub fn code(&self) -> &'static str {
                match self {
                    $($(Problem::$name { .. } => $code,)*)*
                }
            }

            /// Returns the consequence of the problem for the compilation.
            pub fn class(&self) -> Class {
                match self {
                    $($(Problem::$name { .. } => Class::$class,)*)*
                }
            }
        }
    };
}

/// The consequence of a problem for the compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An error because of which a file, or a part of it, could not be read, so that its contents are unknown.
    File,
    /// Any other error.
    Error,
    /// A warning, which does not make the compilation fail.
    Warning,
}

problems! {
    File {
        // E01xx: the file and its YAML

        /// The file or directory can't be read; `reason` is the system's.
        "E0101" Unreadable { reason: String },
        /// The path is neither a file nor a directory, but a FIFO, a socket or a device.
        "E0102" NotAFile { subject: &'static str },
        /// A directory contains no scenario files.
        "E0103" NoFiles,
        /// One file (`all` is false), or all files together, are larger than tracegen reads.
        "E0104" TooLarge { bytes: u64, limit: u64, all: bool },
        /// The text is not UTF-8 from here on.
        "E0105" NotUtf8,
        /// There is a character that YAML forbids, most often NUL.
        "E0106" ControlCharacter { character: char },
        /// The text is not YAML. `message` is the parser's, and `hint` what was probably meant.
        "E0107" Syntax { message: String, hint: Option<&'static str> },
        /// The text is nested deeper than `limit` levels.
        "E0108" NestedTooDeep { limit: usize },
        /// One document has more than `limit` nodes.
        "E0109" TooManyNodes { limit: usize },
        /// Aliases stand for more than `limit` nodes.
        "E0110" AliasBomb { limit: usize },
        /// There is `*name` without a `&name` before it.
        "E0111" UnknownAlias { name: String, nearest: Option<String> },
        /// There is `*name` inside the node that `&name` marks.
        "E0112" RecursiveAlias { name: String },
        /// There is a tag `!something`.
        "E0114" Tag { tag: String },
        /// The mapping already has this key.
        "E0115" DuplicateKey { key: String },
        /// A key is a list or a mapping.
        "E0116" KeyNotText,
        /// The value of `<<:` is not a mapping or a list of mappings.
        "E0117" BadMerge,
        /// There are more mistakes than are shown.
        "E0118" TooManyMistakes { limit: usize },
    }

    Error {
        // E02xx: fields and their values

        /// The mapping has no such field. `hint` says where the field belongs, or that this version does not know it.
        "E0201" UnknownField { field: String, owner: &'static str, nearest: Option<String>, hint: Option<&'static str> },
        "E0202" MissingField { field: &'static str, owner: &'static str },
        /// A value has another shape than the field takes. `instead` is what to write, if that is known.
        "E0203" Mistyped { subject: String, expected: &'static str, found: String, instead: Option<String> },
        /// A span is of a service that no list contains.
        "E0204" UnknownService { name: String, nearest: Option<String> },
        /// Two fields mean the same, or exclude each other.
        "E0205" Conflict { field: &'static str, other: &'static str },
        "E0206" RangeUpsideDown { min: String, max: String },
        "E0207" NegativeDelay { value: String },
        /// A percentage is outside of 0..100.
        "E0208" PercentOutOfRange { value: String },
        /// A weight is below 0.
        "E0209" NegativeWeight { value: String },
        "E0210" SchemaVersion { value: String },
        /// An attribute or a var has no value.
        "E0211" NullValue { subject: &'static str, hint: Option<&'static str> },
        /// The items of a list are not of one type.
        "E0212" MixedList { first: &'static str, other: &'static str },
        /// A number is beyond what the field or a 64-bit value can hold.
        "E0213" NumberOutOfRange { value: String, range: &'static str },
        /// A step has `calls`.
        "E0214" StepWithCalls,
        "E0215" UnknownKind { kind: String, nearest: Option<String> },
        /// A var has one of the language's own names.
        "E0216" ReservedName { name: String },
        /// A var has a name that no expression can spell.
        "E0217" BadVarName { name: String },
        /// A text, list or key is empty that must not be.
        "E0218" Empty { subject: String },
        /// A service is already listed with other properties.
        "E0219" DuplicateService { name: String },
        /// There are more levels of spans than `limit`.
        "E0220" CallsTooDeep { limit: usize },
        /// A `_base.yaml` contains scenarios, or parts of one.
        "E0221" ScenarioInBase { field: String },
        /// A group of calls has a delay of its own.
        "E0240" DelayOfGroup,
        /// A group, or work between calls, has a field that only calls of spans may have.
        "E0241" WordOfCall { word: String },
        /// A span that is not a SERVER has a `client`.
        "E0242" ClientOfNoServer,
        /// An error condition at the end of its span takes time in place of the span's work, which is already over.
        "E0243" DelayAtEnd,
        /// The text is not a valid trace state in W3C Trace Context.
        "E0244" TraceState { why: &'static str },
        /// A directory's `_base.yaml` was given as a scenario file.
        "E0222" NotAScenarioFile { name: String },
        /// A percentile is not below the next one, or `max` is below a parameter of the distribution. `least` is the value
        /// of `low`.
        "E0223" NotIncreasing { low: String, high: String, least: String, value: String },
        /// A distribution has no form, or several.
        "E0224" DistributionForm { found: Vec<&'static str> },
        /// There are not exactly two percentiles, and `p0` and `p100` are not among them.
        "E0225" PercentileSet,
        /// A mix is a part of a mix.
        "E0226" NestedMix,
        /// All parts of a mix have conditions.
        "E0227" MixWithoutWeight,
        /// A distribution would be cut at an hour, but its parameters are longer.
        "E0228" NeedsMax { name: String, value: String },
        /// There are more or fewer weights than choices.
        "E0229" ChoiceWeights { choices: usize, weights: usize },
        /// A row lacks a column of the first one, or has one that the first one lacks.
        "E0230" RowColumns { column: String, missing: bool },
        /// There are rows to choose from where one value is expected.
        "E0231" RowsInAttribute,

        /// Lists and maps are nested deeper than `limit`.
        "E0236" ValueTooDeep { limit: usize },
        /// A table can't be read.
        "E0232" TableUnreadable { file: String, reason: String },
        /// A line of a table has more or fewer values than there are columns.
        "E0233" TableRow { file: String, line: u64, found: usize, columns: usize },
        /// A table has no rows, or its columns have no names of their own.
        "E0234" TableHead { file: String, why: String },
        /// A table is named where no file may be read.
        "E0235" TablesNotRead { file: String },

        // E03xx: templates

        /// There is no such function.
        "E0301" UnknownFunction { name: String, nearest: Option<String> },
        /// Nothing closes `<<` or `{{`. `quote` says that a quote may hide the end.
        "E0302" Unclosed { open: &'static str, quote: bool },
        /// The text is not an expression.
        "E0303" BadExpression { expected: String, found: String, hint: Option<&'static str> },
        /// There is nothing between `<<` and `>>`.
        "E0304" EmptyExpression { open: &'static str },
        /// A template is longer, or an expression deeper, than tracegen reads.
        "E0305" TemplateTooLarge { subject: &'static str, limit: usize },
        /// A number in an expression does not fit into 64 bits.
        "E0306" LiteralOutOfRange { value: String },
        /// A key is an expression: `<<x>>: 5`.
        "E0307" TemplateAsKey,
        /// There is a template where only a constant is allowed.
        "E0308" TemplateNotAllowed { subject: String },
        /// An expression is closed with the sign of the other kind.
        "E0309" WrongClose { open: &'static str, close: &'static str },
        /// YAML reads an unquoted `{{x}}` as a mapping.
        "E0310" BracesAreMapping { template: String },
        /// YAML cuts an unquoted `<<f(a, b)>>` inside `{...}` or `[...]` at the comma.
        "E0311" CutAtComma { template: String },

        // E04xx: names

        /// A bare name is neither a var nor an attribute here.
        "E0401" UnknownName { name: String, nearest: Option<String> },
        /// There is no such var for `vars.x`.
        "E0402" UnknownVariable { name: String, nearest: Option<String> },
        /// The span has no such attribute. `owner` is `parent` or `root`; `above` says that a span further up has it.
        "E0403" UnknownAttribute { owner: &'static str, key: String, nearest: Option<String>, above: bool },
        /// A name of the language has no value here.
        "E0404" NotAvailable { name: String, why: Unavailable },
        /// One of the language's own words is followed by something that it does not have.
        "E0405" NotAValue { name: String, instead: &'static str },
        "E0406" VariableCycle { path: Vec<String> },
        /// Attributes of one span depend on each other.
        "E0407" AttributeCycle { path: Vec<String>, has_parent: bool },
        "E0408" UnknownFilter { name: String, nearest: Option<String> },
        "E0409" DuplicateScenario { name: String },
        /// A service has an attribute that tracegen writes itself.
        "E0410" ServiceAttributeTaken { key: String, field: &'static str },
        /// A var that is a row is read without a column; `column` is one of its columns.
        "E0411" RowNotAValue { name: String, column: String },
        /// The row has no such column.
        "E0412" UnknownColumn { name: String, nearest: Option<String> },

        /// A client has no operation of its own, and its server's reads the server's attributes.
        "E0414" OperationOfServer,
        /// There is no call before `error` or `ok` whose outcome it could be.
        "E0413" NoCallBefore { name: String },

        // E05xx: types and figures

        "E0501" ArgumentCount { usage: &'static str, least: usize, most: usize, found: usize },
        "E0502" ArgumentType { usage: &'static str, expected: &'static str, found: &'static str, quoted: bool },
        /// An argument must be known when compiling.
        "E0503" ArgumentNotConstant { usage: &'static str },
        "E0504" ArgumentRange { usage: &'static str, allowed: String, found: String },
        "E0505" ArgumentsUpsideDown { usage: &'static str, min: String, max: String },
        "E0506" NotAList { usage: &'static str },
        "E0507" EmptyList { usage: &'static str },
        /// The weights of a choice are all 0.
        "E0508" WeightSum,
        "E0509" DuplicateChoice,
        /// Values of these types are never equal and have no order, such as a text and a number.
        "E0510" Incomparable { left: &'static str, right: &'static str, quoted: bool },
        "E0511" OperandType { operator: &'static str, expected: &'static str, found: &'static str, quoted: bool },
        /// A text is added to something that is not a text.
        "E0512" JoinedWithText { found: &'static str },
        /// A list, a map or bytes (`found`) are part of a text.
        "E0513" ListInText { found: &'static str },
        /// A list, a map or bytes (`found`) are an element of a list in an expression.
        "E0514" NestedList { found: &'static str },
        /// There is a `{...}` outside of `random.weighted` and `lookup`.
        "E0515" MapOutOfPlace,
        /// The probabilities of a span's error conditions sum to more than 100.
        "E0516" ProbabilitySum { sum: f64 },
        /// A delay is longer than `limit`, in hours.
        "E0517" DelayTooLong { limit: u64 },
        /// A number of turns or links (`subject`) has no maximum, or one above `limit`.
        "E0530" TurnsWithoutBound { subject: &'static str, most: Option<i64>, limit: u32 },
        /// The weights, of scenarios or of a choice, sum to infinity.
        "E0518" WeightOverflow,
        /// A key of `lookup` is computed.
        "E0519" KeyNotConstant,
        /// A computed number has no known maximum.
        "E0520" Unbounded { usage: &'static str },

        // E06xx: links, bounds, the whole

        "E0601" LinkedWithoutLink { name: String },
        /// No exported key matches the glob; `exported` are some of the keys.
        "E0602" GlobMatchesNothing { glob: String, same_trace: bool, exported: Vec<String> },
        /// Scenarios link to each other in a cycle.
        "E0603" LinkCycle { path: Vec<String> },
        /// No span that the link can find has the attribute.
        "E0604" UnknownLinkedAttribute { key: String, nearest: Option<String> },
        "E0605" LinkChain { path: Vec<String>, limit: u32 },
        "E0606" TooManySpans { found: usize, limit: usize },
        "E0607" AllWeightsZero,
        "E0608" NoScenario,
        /// The scenario exceeds a limit of plans.
        "E0609" BeyondLimits { fault: String },
        /// The time for the compilation is over, or it was cancelled (`after` is `None`).
        "E0610" Stopped { after: Option<Duration> },
        /// A trace may have more spans than span ids can number; `factors` are the turns on the way to the most frequent
        /// spans.
        "E0612" TraceTooLarge { spans: u64, limit: u32, factors: Vec<u64> },
        /// Comparing the globs of links with the keys takes more work than is allowed.
        "E0611" LinksTakeLong { globs: usize, keys: usize },
        /// The verifier refused the result of the compiler.
        "E0699" Internal { violation: String },

        // E07xx: shared spans

        "E0701" UnknownShared { name: String, nearest: Option<String> },
        /// A use gives a value for something that the shared span does not have as a parameter.
        "E0702" UnknownParameter { name: String, shared: String, nearest: Option<String> },
        /// A parameter without a default has no value.
        "E0703" MissingParameter { name: String, shared: String },
        /// Shared spans are made from, or call, each other in a cycle.
        "E0704" UseCycle { path: Vec<String> },
        /// Both the span and its shared span have calls.
        "E0705" CallsTwice { shared: String },
        /// A shared span is made from another, which is made from another, ..., more than `limit` times.
        "E0706" UsesTooLong { limit: usize },
        /// There is more than can be compiled when all shared spans are inserted where they are used.
        "E0707" SharedTooMuch { limit: usize },

        // E080x: the load

        /// All rates of a load are 0.
        "E0801" NothingArrives,
        /// All stages of a load together take no time.
        "E0802" StagesWithoutTime,
        /// The stages of a cycle do not fill it a whole number of times.
        "E0803" CycleOfStages { stages: String, cycle: String },
        /// A job is scheduled at a time of day that its period does not reach.
        "E0804" AtBeyondPeriod { at: String, every: String },
        /// A job may start only after it is scheduled again.
        "E0805" JitterTooLong { longest: String, every: String },
        /// The jitter of a job is computed, or is a mix.
        "E0806" JitterOfValues,
        /// A second load stands beside scenarios.
        "E0807" SecondLoad,
        /// A table of stages has no such column (`row` is `None`), or a row with another value.
        "E0808" StageTable { file: String, row: Option<usize>, why: String },
        /// All loads at their highest make more than `limit` traces a second.
        "E0809" LoadTooHigh { limit: u64 },

        // E082x: incidents

        /// Two incidents have the same name.
        "E0820" DuplicateIncident { name: String },
        /// No span has a service, an operation or a scenario (`field`) that the glob matches, or an instance of this
        /// number. `among` are some of those that there are.
        "E0821" SelectsNothing { field: &'static str, glob: String, nearest: Option<String>, among: Vec<String> },
        /// A window opens again before it has closed.
        "E0822" EveryBelowFor { every: String, length: String },
        /// A root span is to be down, but nothing calls it.
        "E0823" RootDown { scenario: String },
        /// An expression reads an incident that does not exist.
        "E0824" UnknownIncident { name: String, nearest: Option<String> },
        /// An incident multiplies a rate, but nothing that it selects comes at one.
        "E0825" NoRate,
        /// The windows of incidents and the cycle of the load repeat together only after more than `limit` changes.
        "E0826" RateChangesTooOften { limit: u64 },

        // E085x: malformations

        /// The time of a malformation depends on values or conditions.
        "E0850" MalformComputed,
        /// A malformation selects no span.
        "E0851" MalformsNothing,

        // E09xx: policies, and the conditions in them

        /// A trace, a span or an event (`owner`) has no such value. `hint` is what may be meant instead.
        "E0901" UnknownValue { name: String, owner: &'static str, nearest: Option<String>, hint: Option<String> },
        /// A regular expression can't be used.
        "E0902" BadRegex { reason: String },
        /// A condition is neither true nor false.
        "E0903" NotACondition { found: &'static str },
        /// A rule for traces does not say, or says more than once, what becomes of them.
        "E0904" RuleForm { found: Vec<&'static str> },
        /// There are more rules for traces than are judged.
        "E0905" TooManyRules { limit: usize },
        /// The share of a sample can't be read.
        "E0906" BadShare { value: String },
        /// A fault that is to be allowed does not exist.
        "E0907" BadAllowance { value: String, reason: String },
    }

    Warning {
        /// A comment hides what looks like the end of a template.
        "W0101" CommentHidesTemplate { text: String },
        /// Nothing refers to `&name`.
        "W0103" UnusedAnchor { name: String },
        /// The file contains nothing.
        "W0102" NoScenarios,
        /// A percentage is 0.05 where 5 was probably meant.
        "W0201" FractionalPercent { value: String },
        /// An attribute `007` has the value 7.
        "W0202" LeadingZero { written: String, value: String },
        /// The word `yes`, for example, is text in YAML 1.2, and was a boolean in 1.1.
        "W0203" LooksBoolean { word: String },
        /// The version `1.10`, for example, is the number 1.1.
        "W0204" LooksLikeVersion { written: String, value: String },
        /// There is `${x}`, and `x` is a name that has a value.
        "W0302" ShellTemplate { name: String },
        /// No instance of the service has this version.
        "W0206" VersionOfNone { version: String, instances: u32 },
        /// The last newline of a block scalar makes a text of what would be one expression.
        "W0301" NewlineAfterExpression,
        /// A value in a text or a condition may be absent.
        "W0501" MayBeAbsent,
        /// A quoted expression is the value of an attribute that is an int in the semantic conventions.
        "W0205" QuotedInteger { key: String },
        /// A SERVER is directly below a SERVER, and the scenario does not say that it has no client.
        "W0504" ServerCallsServer,
        /// No expression reads a var, or a parameter of a shared span.
        "W0502" UnusedVar { name: String },
        /// No span is of a listed service.
        "W0503" UnusedService { name: String },
        /// All scenarios have loads of their own, so that nothing comes of the one beside them.
        "W0801" UnusedLoad,
        /// No scenario uses a shared span.
        "W0701" UnusedShared { name: String },
        /// A shared span has the name of one of the prelude's (`is_prelude`), or of the directory's.
        "W0702" HidesShared { name: String, is_prelude: bool },
        /// An incident says which spans it is for, or when, but changes nothing of them.
        "W0820" IncidentWithoutEffect { name: String },
        /// A value (`subject`) is compared with one that it never has. `among` are some of those that it has.
        "W0901" NeverThisValue { subject: &'static str, value: String, nearest: Option<String>, among: Vec<String> },
        /// The condition of a rule is never true. The run's traces last at most `longest` ns, and have at most `spans` spans;
        /// `None` if that is not known.
        "W0902" RuleNeverHolds { bound: Option<(u64, u32)> },
        /// A rule stands behind one that decides on all traces.
        "W0903" RuleBehindLast,
    }
}

impl Problem {
    /// Returns a name that is probably misspelt, and what was meant: replacing one by the other may mend the mistake.
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
            UnknownIncident { name, nearest } | SelectsNothing { glob: name, nearest, .. } => (name, nearest),
            UnknownField { field, nearest, .. } => (field, nearest),
            UnknownKind { kind, nearest } => (kind, nearest),
            UnknownValue { name, nearest, .. } | NeverThisValue { value: name, nearest, .. } => (name, nearest),
            UnknownAttribute { key, nearest, .. } | UnknownLinkedAttribute { key, nearest } => (key, nearest),
            _ => return None,
        };
        Some((wrong, right.as_deref()?))
    }
}

impl Problem {
    /// Reports whether the problem is that something is never used.
    pub fn is_unused(&self) -> bool {
        matches!(self, Problem::UnusedVar { .. } | Problem::UnusedService { .. } | Problem::UnusedShared { .. })
    }
}

/// The reason why a name of the language has no value where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// `parent` is read in a root span.
    NoParent,
    /// A value of a span is read in `vars`.
    BeforeSpans,
    /// A value of a span is read in a parameter of one of its shared spans.
    BeforeSpan,
    /// `context_key` is read in a span without `export_context_as`.
    NoContextKey,
    /// A value that is evaluated after the span's links is read in one of them.
    BeforeAttributes,
    /// `service.version` is read in a span of a service that has none.
    NoVersion,
    /// `instance` is read in a service without `instances`, or in a span of one.
    NoInstances,
    /// A value of a trace is read in a service's attributes.
    InServices,
    /// `repeat` is read outside of an item that repeats.
    NoRepeat,
    /// `retry` is read outside of a call that is retried.
    NoRetry,
    /// `error` or `ok` is read outside of the fields of an item.
    OutsideItems,
    /// `error.propagated` is read outside of a condition `at: end`.
    BeforeEnd,
    /// An attribute that depends on the answer is read before there is one.
    NoAnswer,
    /// `callee` is read outside of a client's attributes and of the fields that are evaluated after its call.
    NoCallee,
}
