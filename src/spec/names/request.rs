//! Requests: a count and a name, perhaps with a place, as people type them and programs print them.
//!
//! `3x1g.5gb`, `3 x 1g.5gb`, `1g.5gbx3`, `3g.20gb@4`, `9:4,14:0`. It knows no names: the caller
//! decides what is a name. What a colon means depends on the named thing, so it is only reported
//! here.

/// A count of something, perhaps at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The whole of it as it was written.
    pub text: String,
    /// How many, if stated; a number too large for the type becomes the largest one.
    pub count: Option<u32>,
    /// The name.
    pub name: String,
    /// The place.
    pub at: At,
}

/// The place in a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum At {
    /// None.
    Anywhere,
    /// `NAME@PLACE`, or `PLACE:NAME` as layouts are listed: as it was written, perhaps no number.
    Named(String),
    /// `NAME:NUMBER`: a place to nvidia-smi, a count to mig-parted.
    Colon(u32),
}

/// A request that is empty or too large.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestFault {
    /// There is no name where one is expected, such as after a comma.
    Empty,
    /// The count is more than any answer could list.
    TooMany(usize),
}

/// Most requests of one command.
const REQUESTS_MAX: usize = 100_000;

/// The requests in the words of a command line, in order. A word may hold several, separated by
/// commas or spaces, and a request may be several words: `3 x 1g.5gb`, `MIG 3g.20gb`. `is_name`
/// knows the names there are, so that an x in one is not taken for a count.
pub fn requests<S: AsRef<str>>(
    words: &[S],
    is_name: &dyn Fn(&str) -> bool,
) -> Result<Vec<Request>, RequestFault> {
    let mut pieces = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let parts: Vec<&str> = word.as_ref().split(',').map(str::trim).collect();
        // A comma at the end of a word goes on in the next.
        let goes_on = parts.len() > 1 && index + 1 < words.len() && parts.last() == Some(&"");
        let parts = &parts[..parts.len() - usize::from(goes_on)];
        if parts.iter().any(|part| part.is_empty()) {
            return Err(RequestFault::Empty);
        }
        pieces.extend(parts.iter().map(|part| part.to_string()));
        if pieces.len() > REQUESTS_MAX {
            return Err(RequestFault::TooMany(pieces.len()));
        }
    }
    let mut requests = Vec::new();
    for piece in joined(pieces) {
        let whole = request(&piece, is_name);
        if is_name(&whole.name) || !piece.contains(char::is_whitespace) {
            requests.push(whole);
            continue;
        }
        let words = piece.split_whitespace().map(str::to_string).collect();
        requests.extend(joined(words).iter().map(|piece| request(piece, is_name)));
    }
    Ok(requests)
}

/// Pieces that are one request made one: a count before an `x`, a vendor's word before a name.
fn joined(pieces: Vec<String>) -> Vec<String> {
    let is_one_of =
        |piece: &str, words: &[&str]| words.iter().any(|word| piece.eq_ignore_ascii_case(word));
    let is_open = |piece: &str| {
        let last = piece.rsplit(char::is_whitespace).next().unwrap_or("");
        let count = last.strip_suffix(is_times).unwrap_or("");
        is_one_of(last, &["mig", "nvidia", "grid"])
            || is_digits(count)
            || (is_one_of(last, &["x", "*", "×"]) && piece.len() > last.len())
    };
    let mut joined: Vec<String> = Vec::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last)
                if is_open(last) || (is_digits(last) && is_one_of(&piece, &["x", "*", "×"])) =>
            {
                last.push(' ');
                last.push_str(&piece);
            }
            _ => joined.push(piece),
        }
    }
    joined
}

/// One request.
fn request(text: &str, is_name: &dyn Fn(&str) -> bool) -> Request {
    let made = |count, name: &str, at| Request {
        text: text.to_string(),
        count,
        name: unquoted(name).to_string(),
        at,
    };
    if is_name(text) {
        return made(None, text, At::Anywhere);
    }
    let (rest, at) = match text.rsplit_once('@') {
        Some((rest, place)) => (rest.trim(), At::Named(place.trim().to_string())),
        None => (text, At::Anywhere),
    };
    let (count, name) = counted(rest, is_name);
    if at != At::Anywhere || is_name(name) {
        return made(count, name, at);
    }
    match name.split_once(':').map(|(one, other)| (one.trim(), other.trim())) {
        Some((name, number)) if is_digits(number) => {
            made(count, name, At::Colon(saturated(number)))
        }
        Some((place, name)) if is_digits(place) && !name.is_empty() => {
            made(count, name, At::Named(place.to_string()))
        }
        _ => made(count, name, At::Anywhere),
    }
}

/// `4xA100-10C`, `A100-10Cx4` or `A100-10C`.
fn counted<'t>(text: &'t str, is_name: &dyn Fn(&str) -> bool) -> (Option<u32>, &'t str) {
    if is_name(text) {
        return (None, text);
    }
    let before = text.split_once(is_times).map(|(count, name)| (count.trim(), name.trim()));
    if let Some((count, name)) = before.filter(|(count, _)| is_digits(count)) {
        return (Some(saturated(count)), name);
    }
    let behind = text.rsplit_once(is_times).map(|(name, count)| (name.trim(), count.trim()));
    match behind.filter(|(_, count)| is_digits(count)) {
        Some((name, count)) => (Some(saturated(count)), name),
        None => (None, text),
    }
}

fn unquoted(name: &str) -> &str {
    name.trim().trim_matches(['"', '\'']).trim()
}

fn is_times(letter: char) -> bool {
    matches!(letter, 'x' | 'X' | '*' | '×')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn saturated(digits: &str) -> u32 {
    digits.parse().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Count, name, place.
    type Read = (Option<u32>, String, At);

    fn read(words: &[&str]) -> Result<Vec<Read>, RequestFault> {
        let known =
            ["1g.5gb", "mig 3g.20gb", "3g.20gb", "9", "14", "a100-10c", "a16x", "grid t4-4c"];
        let is_name = |name: &str| known.contains(&name.to_ascii_lowercase().as_str());
        let all = requests(words, &is_name)?;
        Ok(all.into_iter().map(|one| (one.count, one.name, one.at)).collect())
    }

    fn one(count: Option<u32>, name: &str, at: At) -> Read {
        (count, name.to_string(), at)
    }

    fn plain(name: &str) -> Read {
        one(None, name, At::Anywhere)
    }

    #[test]
    fn counts_stand_before_or_behind_a_name() {
        let three = || one(Some(3), "1g.5gb", At::Anywhere);
        for text in ["3x1g.5gb", "3X1g.5gb", "3×1g.5gb", "3 x 1g.5gb", "1g.5gbx3", "3* 1g.5gb"] {
            assert_eq!(read(&[text]), Ok(vec![three()]), "{text}");
        }
        assert_eq!(read(&["3", "x", "1g.5gb"]), Ok(vec![three()]));
        assert_eq!(read(&["3x", "1g.5gb,", "9"]), Ok(vec![three(), plain("9")]));
        assert_eq!(read(&["9 14"]), Ok(vec![plain("9"), plain("14")]));
        // Names have an x of their own.
        assert_eq!(read(&["a16x"]), Ok(vec![plain("a16x")]));
        assert_eq!(read(&["2xa16x"]), Ok(vec![one(Some(2), "a16x", At::Anywhere)]));
        assert_eq!(read(&["v100-sxm2-16gb"]), Ok(vec![plain("v100-sxm2-16gb")]));
        assert_eq!(read(&["99999999999x9"]), Ok(vec![one(Some(u32::MAX), "9", At::Anywhere)]));
        assert_eq!(read(&["x"]), Ok(vec![plain("x")]));
    }

    #[test]
    fn places_stand_behind_a_sign_or_a_colon() {
        let named = |place: &str| At::Named(place.to_string());
        assert_eq!(read(&["3g.20gb@4"]), Ok(vec![one(None, "3g.20gb", named("4"))]));
        assert_eq!(read(&["3g.20gb@"]), Ok(vec![one(None, "3g.20gb", named(""))]));
        // As layouts are listed: the start first.
        assert_eq!(read(&["4:3g.20gb"]), Ok(vec![one(None, "3g.20gb", named("4"))]));
        let by_id = vec![one(None, "9", At::Colon(4)), one(None, "14", At::Colon(0))];
        assert_eq!(read(&["9:4,14:0"]), Ok(by_id));
        assert_eq!(read(&["\"1g.5gb\": 7"]), Ok(vec![one(None, "1g.5gb", At::Colon(7))]));
    }

    #[test]
    fn a_name_of_several_words_is_one() {
        assert_eq!(read(&["MIG 3g.20gb"]), Ok(vec![plain("MIG 3g.20gb")]));
        assert_eq!(read(&["MIG", "3g.20gb"]), Ok(vec![plain("MIG 3g.20gb")]));
        let two = one(Some(2), "GRID T4-4C", At::Anywhere);
        assert_eq!(read(&["2", "x", "GRID", "T4-4C"]), Ok(vec![two]));
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for words in [&[""][..], &["1g.5gb,"], &[",9"], &["9,,9"], &["9", ""]] {
            assert_eq!(read(words), Err(RequestFault::Empty), "{words:?}");
        }
        assert_eq!(read(&[]), Ok(Vec::new()));
    }
}
