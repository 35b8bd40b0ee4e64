//! The text in the search box: words, `key=value`, or the first digits of a trace id.

/// The maximum number of attributes in a search.
const MOST: usize = 10;

/// The conditions of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    pub text: Option<String>,
    pub attributes: Vec<(String, String)>,
    /// The digits of a trace id in lower case.
    pub id: Option<String>,
}

impl Search {
    /// Parses the text of the search box.
    ///
    /// # Errors
    /// There are too many attributes.
    pub fn parse(text: &str) -> Result<Search, String> {
        if (8..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Search { id: Some(text.to_ascii_lowercase()), ..Search::default() });
        }
        let (mut words, mut search) = (vec![], Search::default());
        for word in split(text) {
            match word.split_once('=') {
                Some((key, value)) if !key.is_empty() => search.attributes.push((key.into(), value.into())),
                _ => words.push(word),
            }
        }
        if search.attributes.len() > MOST {
            return Err(format!("at most {MOST} attributes"));
        }
        search.text = (!words.is_empty()).then(|| words.join(" "));
        Ok(search)
    }
}

/// Splits a text at white space outside of double quotes, which are removed.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (vec![], String::new(), false, false);
    for c in text.chars() {
        match c {
            '"' => (quoted, any) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    if any {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> (Option<String>, Vec<(String, String)>, Option<String>) {
        let Search { text, attributes, id } = Search::parse(text).unwrap();
        (text, attributes, id)
    }

    #[test]
    fn words_attributes_and_ids_are_told_apart() {
        let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
        assert_eq!(search("payment  declined"), (Some("payment declined".into()), vec![], None));
        assert_eq!(search("8C1F0E6A"), (None, vec![], Some("8c1f0e6a".into())));
        assert_eq!(search("8c1f0e6").0, Some("8c1f0e6".into()), "seven digits are a word");
        assert_eq!(
            search(r#"slow user.id=42 note="a b=c" empty="#),
            (Some("slow".into()), vec![pair("user.id", "42"), pair("note", "a b=c"), pair("empty", "")], None)
        );
        assert_eq!(search("=5"), (Some("=5".into()), vec![], None), "no key, so no attribute");
        assert_eq!(search("\"open quote"), (Some("open quote".into()), vec![], None));
        assert_eq!(Search::parse(&"a=1 ".repeat(11)), Err("at most 10 attributes".into()));
    }
}
