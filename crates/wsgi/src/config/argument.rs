//! Arguments of directives: what is wrong with one, in words that help.

/// Why the arguments of a directive were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// Something that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// More arguments than the directive takes.
    #[error("there is an argument too many: {0:?}")]
    TooMany(String),
    /// A value that the directive does not take.
    #[error("{value:?} is not allowed here: the value must be {allowed}")]
    Value {
        /// The value as written.
        value: String,
        /// The values that may be written.
        allowed: &'static str,
    },
    /// A value that an option does not take.
    #[error("{name}={value}: the value must be {allowed}")]
    OptionValue {
        /// The option's name.
        name: &'static str,
        /// The value as written.
        value: String,
        /// The values that may be written.
        allowed: &'static str,
    },
    /// A word that is not `name=value`.
    #[error("{0:?} is not of the form name=value")]
    NotAPair(String),
    /// An option that does not exist.
    #[error("there is no option {name:?}{}", did_you_mean(*.nearest))]
    UnknownOption {
        /// The name as written.
        name: String,
        /// An option that looks like it.
        nearest: Option<&'static str>,
    },
    /// An option that means nothing by itself.
    #[error("{option} has no effect without {needs}")]
    Alone {
        /// The option.
        option: &'static str,
        /// The option that it needs.
        needs: &'static str,
    },
    /// Two options that exclude each other.
    #[error("{0} and {1} exclude each other; give one of them")]
    Both(&'static str, &'static str),
    /// An option that may be given once.
    #[error("{0} is given twice; give it once")]
    Twice(&'static str),
    /// The pattern of a directive that ends in `Match`.
    #[error("{0:?} is not a regular expression that httpd understands")]
    Pattern(String),
}

impl ArgumentError {
    pub(crate) fn option(name: &'static str, value: &str, allowed: &'static str) -> Self {
        Self::OptionValue { name, value: value.to_owned(), allowed }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
}

/// The name that differs least from `written`, if one is close enough to have been meant.
pub(crate) fn nearest<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let close = written.chars().count() / 3 + 1;
    // Each letter too many or too few is an edit; and what is written may be as long as a line can
    // be.
    let may_be_close =
        |name: &&str| name.chars().count().abs_diff(written.chars().count()) <= close;
    known
        .into_iter()
        .filter(may_be_close)
        .map(|name| (strsim::levenshtein(written, name), name))
        .min()
        .filter(|(edits, _)| *edits <= close)
        .map(|(_, name)| name)
}

/// Reads `On` or `Off`, in any case.
pub(crate) fn flag(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("on") {
        Some(true)
    } else if word.eq_ignore_ascii_case("off") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let known = ["threads", "processes", "user"];
        assert_eq!(nearest("thread", known), Some("threads"));
        assert_eq!(nearest("proceses", known), Some("processes"));
        assert_eq!(nearest("banana", known), None);
    }
}
