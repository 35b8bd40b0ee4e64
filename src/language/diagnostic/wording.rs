//! All sentences of all diagnostics.

use super::{Problem, Role, Unavailable};
use crate::text::{count, duration, listed};

impl Problem {
    /// Returns the message: one sentence without a full stop.
    pub fn message(&self) -> String {
        use Problem::*;
        match self {
            Unreadable { reason } => format!("cannot read it: {reason}"),
            NotAFile { subject } => format!("this is {subject}, not a file"),
            NoFiles => "there are no scenario files in this directory".into(),
            TooLarge { bytes, limit, all: false } => format!("the file has {bytes} bytes, more than {limit}"),
            TooLarge { bytes, limit, all: true } => {
                format!("with this file, all files have {bytes} bytes, more than {limit}")
            }
            NotUtf8 => "the file is not UTF-8".into(),
            ControlCharacter { character } => {
                format!("the character U+{:04X} is not allowed in YAML", u32::from(*character))
            }
            Syntax { message, .. } => format!("this is not YAML: {message}"),
            NestedTooDeep { limit } => format!("lists and mappings stand more than {limit} deep in each other"),
            TooManyNodes { limit } => format!("the file has more than {limit} values"),
            AliasBomb { limit } => format!("aliases in this file stand for more than {limit} values"),
            UnknownAlias { name, .. } => format!("there is no anchor `&{name}` before this alias"),
            RecursiveAlias { name } => format!("the alias `*{name}` stands inside what `&{name}` marks"),
            UnusedAnchor { name } => format!("nothing refers to the anchor `&{name}`"),
            Tag { tag } => format!("the tag `{tag}` has no meaning here"),
            DuplicateKey { key } => format!("the key `{key}` is there twice"),
            KeyNotText => "a key must be text".into(),
            BadMerge => "`<<:` takes a mapping, or a list of mappings".into(),

            TooManyMistakes { limit } => {
                format!("there are more than {limit} mistakes; those after this place are not shown")
            }

            UnknownField { field, owner, .. } => format!("{owner} has no field `{field}`"),
            MissingField { field, owner } => format!("{owner} needs the field `{field}`"),
            Mistyped { subject, expected, found, .. } => format!("{subject} takes {expected}, not {found}"),
            UnknownService { name, .. } => format!("service `{name}` is not in the list of services"),
            Conflict { field, other } => format!("`{field}` and `{other}` exclude each other"),
            RangeUpsideDown { min, max } => format!("the range is upside down: {min} is more than {max}"),
            NegativeDelay { value } => format!("a delay cannot be negative: {value}"),
            PercentOutOfRange { value } => format!("a probability is a percentage from 0 to 100, not {value}"),
            NegativeWeight { value } => format!("a weight cannot be negative: {value}"),
            SchemaVersion { value } => format!("schema_version {value} is not supported"),
            NullValue { subject, .. } => format!("{subject} needs a value"),
            MixedList { first, other } => format!("the list has {first} and {other} in it"),
            NumberOutOfRange { value, range } => format!("the number {value} is out of range: it must be {range}"),
            StepWithCalls => "a step cannot have `calls`".into(),
            UnknownKind { kind, .. } => format!("there is no span kind `{kind}`"),
            ReservedName { name } => format!("`{name}` is one of the language's own names"),
            BadVarName { name } => format!("no expression can read a var named `{name}`"),
            Empty { subject } => format!("{subject} must not be empty"),
            DuplicateService { name } => format!("the service `{name}` has two sets of properties"),
            CallsTooDeep { limit } => format!("spans stand more than {limit} deep in each other"),
            ScenarioInBase { field } => format!("a _base.yaml holds no scenarios, but this one has {field}"),
            WordOfCall { word } => format!("`{word}` belongs to the call of a span"),
            ClientOfNoServer => "a client calls a SERVER, and this span is of another kind".into(),
            OperationOfServer => {
                "the client has no operation of its own, and the callee's reads attributes of the callee".into()
            }
            DelayOfGroup => "a group of calls has no delay of its own".into(),
            TraceState { why } => format!("this is no trace state: {why}"),
            DelayAtEnd => "at the end of its span a failure takes no time: the span's work is done".into(),
            UnknownShared { name, .. } => format!("there is no shared span `{name}`"),
            UnknownParameter { name, shared, .. } => format!("the shared span `{shared}` has no parameter `{name}`"),
            MissingParameter { name, shared } => format!("the shared span `{shared}` needs the parameter `{name}`"),
            UseCycle { path } => format!("shared spans use each other: {}", circle(path)),
            CallsTwice { shared } => format!("the span has calls, and so has the shared span `{shared}`"),
            UsesTooLong { limit } => format!("more than {limit} shared spans are made from one another"),
            SharedTooMuch { limit } => {
                format!("with all that is shared written out, the scenarios have more than {limit} values")
            }
            MalformComputed => "the time of a malformation cannot depend on values or conditions".into(),
            MalformsNothing => "this malforms no span of its file".into(),
            NotAScenarioFile { name } => format!("{name} holds what the files beside it share, and no scenarios"),
            ChoiceWeights { choices, weights } => {
                let are =
                    if *weights == 1 { "there is 1 weight".into() } else { format!("there are {weights} weights") };
                format!("{are} for {choices} choice{}", if *choices == 1 { "" } else { "s" })
            }
            RowColumns { column, missing: true } => format!("the row lacks the column `{column}` of the first"),
            RowColumns { column, missing: false } => format!("the first row has no column `{column}`"),
            ValueTooDeep { limit } => format!("lists and maps stand more than {limit} deep in each other"),
            TableUnreadable { file, reason } => format!("the table `{file}` cannot be read: {reason}"),
            TableRow { file, line, found, columns } => {
                let values = if *found == 1 { "1 value".into() } else { format!("{found} values") };
                let owner = if *columns == 1 { "1 column".into() } else { format!("{columns} columns") };
                format!("line {line} of the table `{file}` has {values} for {owner}")
            }
            TableHead { file, why } => format!("the table `{file}` is none: {why}"),
            TablesNotRead { file } => {
                format!("the table `{file}` is not read here: there are no files beside this text")
            }
            RowsInAttribute => "rows are chosen in `vars`; an attribute has one value".into(),
            NotIncreasing { low, high, least, value } if high == "max" => {
                format!("`max` cuts off what `{low}` says: {value} is less than {least}")
            }
            NotIncreasing { low, high, least, value } => {
                format!("`{high}` must be more than `{low}`: {value} is not more than {least}")
            }
            DistributionForm { found } if found.is_empty() => "nothing says what the distribution is".into(),
            DistributionForm { found } => format!("a distribution has one form, not {}", found.join(" and ")),
            PercentileSet => "two percentiles, or some with `p0` and `p100` among them, make a distribution".into(),
            NestedMix => "a mix cannot be a part of a mix".into(),
            MixWithoutWeight => "no part of the mix is left where no condition holds".into(),
            NeedsMax { name, value } => format!("times are cut at an hour here, but `{name}` is {value}"),

            UnknownFunction { name, .. } => format!("there is no function `{name}`"),
            Unclosed { open, .. } => format!("`{open}` is never closed"),
            BadExpression { expected, found, .. } if found.is_empty() => {
                format!("the expression ends where {expected} should stand")
            }
            BadExpression { expected, found, .. } => format!("expected {expected}, found `{}`", super::short(found)),
            EmptyExpression { open } => format!("there is nothing in `{}`", pair(open)),
            TemplateTooLarge { subject, limit } => format!("more than {limit} {subject}"),
            LiteralOutOfRange { value } => format!("the number {value} does not fit into 64 bits"),
            TemplateAsKey => "a key cannot be a template".into(),
            TemplateNotAllowed { subject } => format!("{subject} must be constant"),
            WrongClose { open, close } => format!("`{open}` is closed with `{close}`"),
            BracesAreMapping { template } => {
                format!("`{}` is a mapping to YAML, not a template", super::short(template))
            }
            CutAtComma { template } => format!("`{}` is cut at its comma", super::short(template)),

            UnknownName { name, .. } => format!("there is no var or attribute `{name}` here"),
            UnknownVariable { name, .. } => format!("there is no var `{name}`"),
            UnknownAttribute { owner, key, .. } => format!("the {owner} span has no attribute `{key}`"),
            NotAvailable { name, why } => match why {
                Unavailable::NoParent => format!("`{name}`: the root span has no parent"),
                Unavailable::BeforeSpans => format!("`{name}` has no value in `vars`: they are drawn before any span"),
                Unavailable::BeforeAttributes => {
                    format!(
                        "`{name}` has no value yet: links are looked for before the span's own attributes are evaluated"
                    )
                }
                Unavailable::BeforeSpan => {
                    format!("`{name}` has no value in `with`: that is evaluated before all else of the span")
                }
                Unavailable::NoContextKey => format!("`{name}` has no value in a span without `export_context_as`"),
                Unavailable::NoVersion => format!("`{name}` has no value in a span of a service without `version`"),
                Unavailable::NoInstances => format!("`{name}` has no value in a service without `instances`"),
                Unavailable::InServices => format!("`{name}` has no value here: a service is the same in every trace"),
                Unavailable::NoRepeat => format!("`{name}` has no value outside of an item with `repeat`"),
                Unavailable::NoRetry => format!("`{name}` has no value outside of a call with `retry`"),
                Unavailable::OutsideItems => {
                    format!("`{name}` has a value only in the words of an item of `calls`, such as `when`")
                }
                Unavailable::BeforeEnd => format!("`{name}` has a value only in an error condition `at: end`"),
                Unavailable::NoAnswer => format!("`{name}` has no value before the call: it reads the answer"),
                Unavailable::NoCallee => {
                    format!("`{name}` has a value only in a `client`: in its attributes and its `at: end` conditions")
                }
            },
            NotAValue { name, .. } => format!("`{name}` is not a value"),
            VariableCycle { path } => format!("vars need each other: {}", circle(path)),
            AttributeCycle { path, .. } => format!("attributes of the span need each other: {}", circle(path)),
            UnknownFilter { name, .. } => format!("there is no filter `{name}`"),
            UnknownIncident { name, .. } => format!("there is no incident `{}`", super::short(name)),
            DuplicateIncident { name } => format!("there are two incidents named `{}`", super::short(name)),
            SelectsNothing { field: "instance", glob, .. } => format!("no selected span has an instance {glob}"),
            SelectsNothing { field, glob, .. } => {
                format!("the incident selects nothing: no span has the {field} `{}`", super::short(glob))
            }
            EveryBelowFor { every, length } => {
                format!("a window opens again after {every}, before it has closed, after {length}")
            }
            NoRate => "there is no rate to multiply: what the incident selects has no `load`, or a timetable".into(),
            RateChangesTooOften { limit } => {
                format!("with this, a rate changes more than {limit} times before its changes repeat")
            }
            RootDown { scenario } => {
                format!("nothing calls the root span of `{}`, so it can't be down", super::short(scenario))
            }
            IncidentWithoutEffect { name } => {
                format!("the incident `{}` changes nothing of the spans that it selects", super::short(name))
            }
            NoCallBefore { name } => format!("`{name}`: no call stands before this one in its list"),
            DuplicateScenario { name } => format!("there are two scenarios named `{}`", super::short(name)),
            RowNotAValue { name, .. } => format!("`{name}` is a row of values"),
            UnknownColumn { name, .. } => format!("there is no column `{name}`"),
            ServiceAttributeTaken { key, .. } => format!("tracegen writes the attribute `{key}` itself"),

            ArgumentCount { usage, least, most, found } => {
                let name = usage.split('(').next().unwrap_or(usage);
                let takes = match (least, most) {
                    (_, 0) => "no arguments".to_owned(),
                    (1, 1) => "1 argument".to_owned(),
                    (least, most) if least == most => format!("{most} arguments"),
                    (least, most) => format!("{least} to {most} arguments"),
                };
                format!("`{name}` takes {takes}, but here {} {found}", if *found == 1 { "is" } else { "are" })
            }
            ArgumentType { expected, found, .. } => format!("{expected} is needed here, and this is {found}"),
            ArgumentNotConstant { .. } => {
                "this argument must be a number, or a var that is one: it is fixed when compiling".into()
            }
            ArgumentRange { allowed, found, .. } => format!("{found} is out of range: it must be {allowed}"),
            ArgumentsUpsideDown { min, max, .. } => format!("the range is upside down: {min} is more than {max}"),
            NotAList { .. } => "a list is needed here, with its items written out".into(),
            EmptyList { .. } => "there is nothing to choose from".into(),
            WeightSum => "the weights must sum to a number above 0".into(),
            TurnsWithoutBound { subject, most: None, .. } => format!("nothing bounds this number of {subject}"),
            TurnsWithoutBound { subject, most: Some(most), limit } => {
                format!("there may be {most} {subject}, more than {limit}")
            }
            WeightOverflow => "the weights sum to more than a number can hold".into(),
            DuplicateChoice => "the choice is there twice".into(),
            Unbounded { .. } => "nothing says how large this may be at most".into(),
            KeyNotConstant => "a key is a value that is written out".into(),
            Incomparable { left, right, quoted: true } => {
                format!("{left} is compared with {right}: its value is quoted, so it is text")
            }
            Incomparable { left, right, .. } => format!("{left} is compared with {right}, which never fits"),
            OperandType { operator, expected, found, .. } => {
                format!("`{operator}` takes {expected}, and this is {found}")
            }
            JoinedWithText { found } => format!("`+` joins text with text, and this is {found}"),
            ListInText { found } => format!("{found} cannot stand in a text"),
            NestedList { found } => format!("{found} cannot stand in a list of an expression"),
            MapOutOfPlace => "a mapping stands only in `random.weighted` and `lookup`".into(),
            ProbabilitySum { sum } => {
                format!("the probabilities of this span's error conditions sum to {}, more than 100", round(*sum))
            }
            DelayTooLong { limit } => format!("the delay is longer than {limit} hours"),

            LinkedWithoutLink { name } => {
                format!("`{}` is read where no span has a link", super::short(name))
            }
            GlobMatchesNothing { glob, same_trace: true, .. } => {
                format!("a glob no span before this one in its trace can match: `{}`", super::short(glob))
            }
            GlobMatchesNothing { glob, .. } => {
                format!("a glob no scenario can ever match: `{}`", super::short(glob))
            }
            LinkCycle { path } => format!("scenarios link to each other in a circle: {}", circle(path)),
            UnknownLinkedAttribute { key, .. } => format!("no span that this can link to has an attribute `{key}`"),
            LinkChain { path, limit } => {
                format!("more than {limit} links one after another: {}", names(path).join(" -> "))
            }
            TraceTooLarge { spans, limit, .. } => {
                format!("a trace of the scenario may have {spans} spans, more than {limit}")
            }
            TooManySpans { found, limit } => format!("the scenario has {found} spans, more than {limit}"),
            AllWeightsZero => "the weights of all scenarios are 0, so none would ever be chosen".into(),
            NoScenario => "there is no scenario in any file".into(),
            BeyondLimits { fault } => format!("this is beyond a limit: {fault}"),
            LinksTakeLong { globs, keys } => {
                format!("comparing {globs} globs of links with {keys} keys takes more work than is allowed")
            }
            Stopped { after: Some(limit) } => {
                format!("compiling takes longer than the {limit:?} that it is given here")
            }
            Stopped { after: None } => "compiling was cancelled before it ended".into(),
            Internal { violation } => format!("the compiler made a plan that is not valid: {violation}"),

            UnknownValue { name, owner, .. } => format!("{owner} has no value `{}` here", super::short(name)),
            BadRegex { reason } => format!("the regular expression can't be used: {reason}"),
            NotACondition { found } => format!("a condition is true or false, and this is {found}"),
            RuleForm { found } if found.is_empty() => "the rule does not say what becomes of the traces".into(),
            RuleForm { found } => format!("a rule says one thing, not {}", listed(found, "and")),
            TooManyRules { limit } => format!("there are more than {limit} rules for traces"),
            BadShare { value } => format!("a sample is a share of the traces, and this is `{}`", super::short(value)),
            BadAllowance { value, reason } => format!("`{}` can't be allowed: {reason}", super::short(value)),
            NeverThisValue { subject, value, .. } => format!("nothing has the {subject} `{}`", super::short(value)),

            RuleNeverHolds { .. } => "no trace of the run can ever be one of this rule".into(),
            RuleBehindLast => "nothing is left for this rule: one before it decides on all traces".into(),

            NothingArrives => "no trace ever starts: all rates are 0".into(),
            StagesWithoutTime => "the stages take no time, so no rate is ever reached".into(),
            CycleOfStages { stages, cycle } => {
                format!("the stages last {stages}, which does not divide the cycle of {cycle}")
            }
            AtBeyondPeriod { at, every } => {
                format!("a job that starts every {every} has no start at {at} in its period")
            }
            JitterTooLong { longest, every } => {
                format!("the jitter may be {longest}, as long as the {every} between two starts")
            }
            JitterOfValues => "a jitter is drawn outside of any trace, so it reads no value and is no mix".into(),
            SecondLoad => "there is a second load for the scenarios without one of their own".into(),
            StageTable { file, row: None, why } => format!("the table `{file}` has no stages: {why}"),
            StageTable { file, row: Some(row), why } => format!("row {row} of the table `{file}` is no stage: {why}"),
            LoadTooHigh { limit } => {
                format!("with this, all loads at their highest make more than {limit} traces a second")
            }
            UnusedLoad => "every scenario has a load of its own, so nothing comes of this one".into(),

            CommentHidesTemplate { text } => {
                format!("`{}` is a comment, so nothing in it is computed", super::short(text))
            }
            NoScenarios => "the file has no scenarios".into(),
            UnusedShared { name } => format!("nothing uses the shared span `{name}`"),
            HidesShared { name, is_prelude } => {
                let other = if *is_prelude { "the prelude's" } else { "the one in _base.yaml" };
                format!("this shared span hides {other}, `{name}`")
            }
            UnusedVar { name } => format!("nothing reads the var `{name}`"),
            ShellTemplate { name } => format!("`${{{name}}}` is text like any other"),
            QuotedInteger { key } => format!("`{key}` is an int by the semantic conventions, and this is text"),
            ServerCallsServer => "a SERVER is called by a SERVER, without a client between them".into(),
            UnusedService { name } => format!("no span is of the service `{name}`"),
            FractionalPercent { value } => format!("{value} is {value} %"),
            LeadingZero { written, value } => format!("`{written}` is the number {value}"),
            LooksBoolean { word } => format!("`{word}` is text, not a boolean"),
            LooksLikeVersion { written, value } => format!("`{written}` is the number {value}, not text"),
            VersionOfNone { version, instances } => {
                let all =
                    if *instances == 1 { "the only instance".into() } else { format!("one of {instances} instances") };
                format!("version `{}` is too rare to be that of {all}", super::short(version))
            }
            NewlineAfterExpression => "the newline at the end of the block makes this text".into(),
            MayBeAbsent => "this value may be absent, and all that is made of it is absent then too".into(),
        }
    }

    /// Returns the label under the underlined source: a few words, or none.
    pub fn label(&self) -> String {
        use Problem::*;
        match self {
            NotUtf8 => "not UTF-8 from here on".into(),
            UnknownField { .. } => "unknown field".into(),
            MissingField { field, .. } => format!("`{field}` is missing"),
            Mistyped { expected, .. } => format!("expected {expected}"),
            UnknownService { .. } => "not listed".into(),
            DuplicateKey { .. } => "again".into(),
            Conflict { .. } => "only one of them".into(),
            UnknownFunction { .. } => "not a function".into(),
            Unclosed { .. } => "opens here".into(),
            CutAtComma { .. } => "YAML ends the value here".into(),
            DuplicateService { .. } => "again".into(),
            MixedList { other, .. } => (*other).into(),
            UnknownName { .. } | UnknownVariable { .. } | UnknownColumn { .. } | UnknownAttribute { .. } => {
                "not known".into()
            }
            UnknownLinkedAttribute { .. } => "not known".into(),
            UnknownFilter { .. } => "not a filter".into(),
            UnknownValue { .. } => "not known".into(),
            NeverThisValue { .. } => "holds for none".into(),
            UnknownIncident { .. } => "not known".into(),
            DuplicateIncident { .. } => "again".into(),
            SelectsNothing { .. } => "matches nothing".into(),
            DuplicateScenario { .. } | DuplicateChoice => "again".into(),
            ArgumentType { found, .. } | OperandType { found, .. } | JoinedWithText { found } => (*found).into(),
            ProbabilitySum { .. } => "over 100 from here on".into(),
            GlobMatchesNothing { .. } => "matches nothing".into(),
            MayBeAbsent => "may be absent".into(),
            _ => String::new(),
        }
    }

    /// Returns a way to mend the mistake, if there is a likely one.
    pub fn help(&self) -> Option<String> {
        use Problem::*;
        let did_you_mean = |name: &Option<String>| name.as_ref().map(|name| format!("did you mean `{name}`?"));
        match self {
            NoFiles => Some("scenario files end in .yaml or .yml and do not begin with `_` or `.`".into()),
            TooLarge { .. } => Some("split the scenarios over several files, or compile fewer at a time".into()),
            NotUtf8 => Some("save the file as UTF-8".into()),
            ControlCharacter { .. } => Some("in double quotes it can be written as an escape: \"\\x00\"".into()),
            Syntax { hint, .. } => hint.map(str::to_owned),
            NestedTooDeep { .. } | CallsTooDeep { .. } => None,
            UnknownAlias { nearest: None, name } if name.parse::<f64>().is_ok() => {
                Some(format!("if a factor is meant, write x{name}; a text is quoted: '*{name}'"))
            }
            UnknownAlias { nearest, name } => {
                did_you_mean(nearest).or_else(|| Some(format!("if no alias is meant, quote it: '*{name}'")))
            }
            UnusedAnchor { name } => Some(format!("take it out; or, if no anchor is meant, quote it: '&{name}'")),
            Tag { .. } => Some("`!` begins a tag: quote the value, or write `not x`".into()),
            KeyNotText => Some("quote it, if text is meant".into()),
            BadMerge => Some("`<<: *name` merges the mapping that `&name` marks".into()),

            UnknownField { nearest, hint, .. } => did_you_mean(nearest).or_else(|| hint.map(str::to_owned)),
            MissingField { field: "root_span", .. } => {
                Some("`root_span` is a tree of spans, `steps` a flat list".into())
            }
            Mistyped { instead, .. } => instead.clone(),
            UnknownKind { nearest, .. } => did_you_mean(nearest)
                .or_else(|| Some("the kinds are SERVER, CLIENT, PRODUCER, CONSUMER, INTERNAL and UNSPECIFIED".into())),
            UnknownService { nearest, .. }
            | UnknownFunction { nearest, .. }
            | UnknownParameter { nearest, .. } => did_you_mean(nearest),
            UnknownShared { nearest, .. } => did_you_mean(nearest)
                .or_else(|| Some("shared spans are defined in `spans`, beside `services` or in `_base.yaml`".into())),
            MissingParameter { name, .. } => Some(format!("give it a value: `with: {{{name}: ..}}`")),
            UseCycle { .. } => Some("take one of these uses out".into()),
            MalformComputed => Some("write a number, [min, max], or percentiles: {p50: 100, p99: 2000}".into()),
            MalformsNothing => {
                Some("let `select` name what the file has; `missing_root` needs the operation of a root".into())
            }
            CallsTwice { .. } => Some("keep one of the two lists".into()),
            RangeUpsideDown { min, max } => Some(format!("write [{max}, {min}]")),
            SchemaVersion { .. } => Some("this version of tracegen reads schema_version 1".into()),
            UnknownValue { nearest, hint, .. } => did_you_mean(nearest).or_else(|| hint.clone()),
            NotACondition { .. } => Some("compare it with something: `duration_ms > 800`".into()),
            RuleForm { .. } => Some("write one of `drop: CONDITION`, `keep: CONDITION` and `sample: 10%`".into()),
            BadShare { .. } => {
                Some("write `10%`, or `10% +-1` for a tolerance, or `any` if any number of them may arrive".into())
            }
            NeverThisValue { nearest, among, .. } => did_you_mean(nearest).or_else(|| {
                let among = Vec::from_iter(among.iter().map(|name| format!("`{}`", super::short(name))));
                (!among.is_empty()).then(|| format!("there are {}", among.join(", ")))
            }),
            RuleNeverHolds { bound: Some((longest, spans)) } => {
                Some(format!("a trace lasts at most {}, and has at most {}", duration(*longest), count((*spans).into(), "span")))
            }
            RuleNeverHolds { bound: None } => None,
            RuleBehindLast => Some("put it before that one".into()),
            NothingArrives => Some("write one rate above 0".into()),
            StagesWithoutTime => Some("for one rate without stages write {rate: 40/s}".into()),
            CycleOfStages { stages, .. } => {
                Some(format!("write `cycle: {stages}`, or a further stage that fills the cycle"))
            }
            AtBeyondPeriod { .. } => Some("`at` is less than `every`: {every: 1h, at: \"00:15\"}".into()),
            JitterTooLong { .. } => Some("make it shorter: a distribution is cut at its `max`, in milliseconds".into()),
            JitterOfValues => Some("write a number, [min, max], or percentiles".into()),
            SecondLoad => Some("keep one of them, or write each into the scenarios that it is for".into()),
            StageTable { .. } => Some("its columns are `for` and `rate`: `10m,40/s`".into()),
            LoadTooHigh { .. } => Some("write lower rates".into()),
            UnusedLoad => Some("take it out".into()),
            NullValue { hint: Some(hint), .. } => Some((*hint).into()),
            NullValue { .. } => Some("write '' for an empty text, or take the line out".into()),
            MixedList { first: "an int", other: "a double" } | MixedList { first: "a double", other: "an int" } => {
                Some("write the whole numbers as doubles too: `1.0`".into())
            }
            MixedList { .. } => Some("quote all items to make them text".into()),
            StepWithCalls => Some("each step is called by the one before it; for a tree use `root_span`".into()),
            ReservedName { name } => Some(format!("call it something else: `my_{name}`")),
            BadVarName { .. } => Some("names have letters, digits and `_`, and begin with a letter".into()),
            ScenarioInBase { .. } => {
                Some("move it to a file of its own; the base has `schema_version` and `services`".into())
            }
            WordOfCall { .. } => Some("put it on the calls in the group".into()),
            ClientOfNoServer => Some("add `kind: SERVER`, or take `client` out".into()),
            OperationOfServer => Some("say what the client is called: `client: {operation: GET}`".into()),
            TraceState { .. } => Some("write members as key=value, with a comma between two: `ot=th:8,vendor=x`".into()),
            DelayAtEnd => Some("leave it out, or leave out `at: end`".into()),
            DelayOfGroup => Some("work between calls is an item of its own: `- delay_ms: 5`".into()),
            NotAScenarioFile { .. } => Some("name the directory or a file beside it; the base goes with them".into()),

            DistributionForm { .. } => Some(
                "write two percentiles {p50: 5, p99: 80}, or {mean: 5, stddev: 1}, {exp: 5}, {pareto: {min: 5, alpha: 2}}, \
                 {mix: [{weight: 9, ms: 5}, {weight: 1, ms: 80}]}"
                    .into(),
            ),
            ChoiceWeights { .. } => Some("write a weight for each choice".into()),
            RowColumns { .. } => Some("all rows have the same columns".into()),
            TableUnreadable { .. } => Some("its name counts from the directory of this file".into()),
            TableRow { .. } => Some("a value with a comma, a quote or a line break in it stands in double quotes".into()),
            TableHead { .. } => {
                Some("the first line names the columns, each once, and the others are rows: `country,currency`".into())
            }
            TablesNotRead { .. } => {
                Some("write the rows: {choice: [{country: DE, currency: EUR}, {country: US, currency: USD}]}".into())
            }
            RowsInAttribute => Some("make it a var, and read its columns: `market.currency`".into()),
            RowNotAValue { name, column } => Some(format!("write one of its columns: `{name}.{column}`")),
            PercentileSet => Some("add `p0` and `p100`, the least and the most of all".into()),
            NestedMix => Some("write its parts into the mix around it".into()),
            MixWithoutWeight => Some("add a part for all else: {weight: 1, ms: ..}".into()),
            NeedsMax { .. } => Some("add how long it may be at most: `max: ..`".into()),

            Unclosed { open, quote: true } => {
                Some(format!("a quote after it opens a literal text, in which `{}` does not close", close(open)))
            }
            Unclosed { open, .. } => {
                Some(format!("close it with `{}`; for the two characters write `\\{open}`", close(open)))
            }
            BadExpression { hint, .. } => hint.map(str::to_owned),
            TemplateAsKey => Some("put the template into the value".into()),
            WrongClose { open, .. } => Some(format!("close it with `{}`", close(open))),
            BracesAreMapping { template } if template.contains(": ") || template.contains("':") => {
                Some(quoted(template))
            }
            BracesAreMapping { template } => {
                let inside = template.trim_start_matches('{').trim_end_matches('}').trim();
                Some(format!("quote it: \"{}\", or write <<{}>>", super::short(template), super::short(inside)))
            }
            CutAtComma { template } => Some(quoted(template)),

            UnknownName { nearest, .. }
            | UnknownVariable { nearest, .. }
            | UnknownColumn { nearest, .. }
            | UnknownFilter { nearest, .. }
            | UnknownLinkedAttribute { nearest, .. } => did_you_mean(nearest),
            UnknownIncident { nearest, .. } => did_you_mean(nearest)
                .or_else(|| Some("incidents are listed in `incidents`, beside `services` or in `_base.yaml`".into())),
            DuplicateIncident { .. } => Some("names are unique over all files: change one".into()),
            SelectsNothing { field: "instance", among, .. } => {
                among.first().map(|numbers| format!("write a number from {numbers}"))
            }
            SelectsNothing { nearest, among, .. } => did_you_mean(nearest).or_else(|| {
                let among: Vec<String> = among.iter().map(|name| format!("`{}`", super::short(name))).collect();
                (!among.is_empty()).then(|| format!("there are {}", among.join(", ")))
            }),
            EveryBelowFor { .. } => Some("let it come less often, or be shorter".into()),
            NoRate => Some("give the file or the scenario a load, as `load: {rate: 40/s}`".into()),
            RateChangesTooOften { .. } => {
                Some("let `every` be a part of the load's `cycle`, or a multiple of it, and `at` be soon after the start".into())
            }
            RootDown { .. } => {
                Some("let it fail, `error_conditions: [{probability: 100, type: unavailable}]`, or select what is called".into())
            }
            IncidentWithoutEffect { .. } => {
                Some("add `latency`, `delay_ms`, `error_conditions`, `down`, `version` or `rate`; or take `select` and `when` out".into())
            }
            UnknownAttribute { nearest, key, above, .. } => did_you_mean(nearest).or_else(|| {
                above.then(|| format!("a span further up has it: write `{key}` alone to read the nearest"))
            }),
            NotAvailable { why, .. } => match why {
                Unavailable::NoContextKey => Some("add `export_context_as` to the span".into()),
                Unavailable::BeforeAttributes => Some("a var, or an attribute of a span above, has one".into()),
                Unavailable::NoRetry => Some("write how often the call is tried: `retry: {attempts: 3}`".into()),
                Unavailable::NoRepeat => Some("write how often the item runs: `repeat: 3`".into()),
                Unavailable::NoVersion => Some("say which there is, in `services`: `version: 1.4.0`".into()),
                Unavailable::NoInstances => Some("write how many there are: `instances: 3`".into()),
                Unavailable::InServices => {
                    Some("`instance.index`, `instance.id`, `service.name` and the filters can be used".into())
                }
                _ => None,
            },
            NotAValue { instead, .. } => Some(format!("write {instead}")),
            VariableCycle { .. } => Some("give one of them a value that reads none of the others".into()),
            AttributeCycle { path, has_parent: true } => {
                let key = path.first().map_or("x", String::as_str);
                Some(format!("to read the parent's, write `parent.attributes.{key}`"))
            }
            AttributeCycle { .. } => Some("give one of them a value that reads none of the others".into()),
            NoCallBefore { .. } => {
                Some("it is the outcome of the call before, in the same list and one after another".into())
            }
            DuplicateScenario { .. } => Some("names are unique over all files: change one".into()),
            ServiceAttributeTaken { field, .. } => Some(format!("it comes from the service's `{field}`: take one out")),
            ArgumentType { quoted: true, expected: "an int", .. } => {
                Some("its value is quoted: end it with `| int`".into())
            }
            ArgumentType { quoted: true, expected: "a number", .. }
            | OperandType { quoted: true, expected: "a number", .. } => {
                Some("its value is quoted: end it with `| int` or `| double`".into())
            }
            OperandType { quoted: true, expected: "true or false", .. } => {
                Some("its value is quoted: end it with `| bool`".into())
            }
            ArgumentType { expected: "an int", found: "a double", .. } => Some("make it an int with `| int`".into()),
            ArgumentType { usage, .. }
            | ArgumentCount { usage, .. }
            | ArgumentRange { usage, .. }
            | ArgumentsUpsideDown { usage, .. }
            | EmptyList { usage } => Some(format!("it is written `{usage}`")),
            ArgumentNotConstant { .. } => Some("write a number, or the name of a var whose value is a number".into()),
            Unbounded { .. } => Some("give it an end: `(x | clamp(0, 100))`".into()),
            NotAList { usage: "in" } => Some("write `x in ['a', 'b']`".into()),
            NotAList { usage } => Some(format!("it is written `{usage}`")),
            Incomparable { quoted: true, .. } => Some("end the quoted value with `| int` or `| double`".into()),
            Incomparable { .. } => {
                Some("make them alike: `(x | text)`, or so with `int`, `double` or `bool`, in brackets".into())
            }
            JoinedWithText { .. } => Some("make it text, in brackets: `(x | text)`".into()),
            ListInText { found } => {
                let it = found.strip_prefix("a ").unwrap_or(found);
                Some(format!("let the {it} stand alone, without quotes and without text around it"))
            }
            NestedList { .. } => Some("write the list in YAML: `[[1, 2], [3]]`".into()),
            LinkedWithoutLink { .. } => Some("add `link_from_context` to the span, or to one above it".into()),
            GlobMatchesNothing { same_trace: true, exported, .. } if exported.is_empty() => {
                Some("no span that stands before it has `export_context_as`".into())
            }
            GlobMatchesNothing { exported, .. } if exported.is_empty() => {
                Some("no span has `export_context_as`".into())
            }
            GlobMatchesNothing { exported, .. } => {
                let keys: Vec<String> = exported.iter().map(|key| format!("`{}`", super::short(key))).collect();
                Some(format!("keys are exported as {}", keys.join(", ")))
            }
            LinkCycle { path } if path.len() == 1 => {
                Some(
                    "let another scenario export the key; or, if an earlier span of the same trace is meant, write \
                     {match: .., trace: same}"
                        .into(),
                )
            }
            LinkCycle { .. } => Some("links go one way: take one of these out".into()),
            LinkChain { .. } => Some("looking for a link replays the trace it leads to: take a link out".into()),
            TurnsWithoutBound { limit, .. } => {
                Some(format!("bound it: `<<... | clamp(0, {limit})>>`, with as few as will do"))
            }
            TraceTooLarge { factors, .. } => {
                let factors: Vec<String> = factors.iter().map(u64::to_string).collect();
                Some(format!("the most come of {} turns: make fewer of them", factors.join(" x ")))
            }
            WeightOverflow => Some("only their proportions count: divide all of them by the same number".into()),
            AllWeightsZero => Some("give one a weight above 0, or none a weight".into()),
            LinksTakeLong { .. } => {
                Some("let each glob, and the keys it is for, begin with a text that no other begins with".into())
            }
            Stopped { after: Some(_) } => Some("`tracegen compile` gives it as long as it takes".into()),
            Internal { .. } => Some("this is a mistake of tracegen's: please report it with the file".into()),

            UnusedShared { .. } | UnusedVar { .. } | UnusedService { .. } => Some("take it out".into()),
            ShellTemplate { name } => Some(format!("write `<<{name}>>` for the value of `{name}`")),
            QuotedInteger { .. } => Some("take the quotes off, or end it with `| int`".into()),
            ServerCallsServer => {
                Some("write `client: true` for the CLIENT span of its caller, or `client: false` if none is meant".into())
            }
            HidesShared { .. } => Some("give it another name, if both are wanted".into()),
            CommentHidesTemplate { .. } => Some("quote the whole value if `#` belongs to it".into()),
            FractionalPercent { value } => Some(match value.parse::<f64>() {
                Ok(share) => format!("did you mean {}? write `{value}%` if not", round(share * 100.0)),
                Err(_) => format!("write `{value}%` if it is meant"),
            }),
            LeadingZero { written, .. } | LooksLikeVersion { written, .. } => {
                Some(format!("quote it if text is meant: \"{written}\""))
            }
            LooksBoolean { word } => {
                let boolean = matches!(word.to_ascii_lowercase().as_str(), "yes" | "on" | "y");
                Some(format!("write `{boolean}` for the boolean, or quote it"))
            }
            VersionOfNone { .. } => Some("give the service more `instances`, or the version more weight".into()),
            NewlineAfterExpression => Some("write `>-` instead of `|` or `>` to keep the expression's type".into()),
            MayBeAbsent => Some("give it a value for that case, in brackets: `(x | default('none'))`".into()),
            _ => None,
        }
    }
}

impl Role {
    /// Returns the label of a related place.
    pub fn label(self) -> &'static str {
        match self {
            Role::First => "first here",
            Role::List => "services are listed here",
            Role::Anchor => "the anchor",
            Role::Item(kind) => kind,
            Role::Rows => "a row of these",
            Role::Span => "this span",
            Role::Linkable => "it can link to this span",
            Role::Member => "and this",
            Role::Quotes => "quoted here",
            Role::Summand => "added up with this",
            Role::ZeroWeight => "also 0",
            Role::Definition => "in the shared span",
            Role::Use => "used here",
            Role::Stages => "the stages",
            Role::LastRule => "this one",
        }
    }
}

/// Returns the names of a cycle, with the first one again at the end.
fn circle(path: &[String]) -> String {
    let mut shown = names(path);
    shown.extend(shown.first().cloned());
    shown.join(" -> ")
}

/// Returns the names that a message shows: the first few.
fn names(path: &[String]) -> Vec<String> {
    let mut names: Vec<String> = path.iter().take(8).map(|name| super::short(name)).collect();
    if path.len() > names.len() {
        names.push("...".into());
    }
    names
}

fn close(open: &str) -> &'static str {
    if open == "<<" { ">>" } else { "}}" }
}

fn pair(open: &str) -> &'static str {
    if open == "<<" { "<<>>" } else { "{{}}" }
}

/// Rounds away the meaningless last digits of a double.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Returns a template that was cut in the quotes that it needs; a number stays a number.
fn quoted(template: &str) -> String {
    let template = super::short(template);
    let number = [("random.int", "int"), ("random.zipf", "int"), ("random.float", "double")]
        .into_iter()
        .find(|(function, _)| template.contains(function))
        .map(|(_, filter)| filter);
    let quote = if template.contains('"') { '\'' } else { '"' };
    match (number, template.strip_suffix(">>").or_else(|| template.strip_suffix("}}"))) {
        (Some(filter), Some(inside)) if template.starts_with("<<") || template.starts_with("{{") => {
            let close = close(&template[..2]);
            let inside = inside.trim_end();
            format!(
                "quote it, and end it with `| {filter}` to keep the number: {quote}{inside} | {filter}{close}{quote}"
            )
        }
        _ => format!("quote it: {quote}{template}{quote}"),
    }
}
