//! Who is who: keys under which duplicates meet, and what an e-mail address says.

/// Words that say what a company is in law, not who it is.
const LEGAL: &[&str] = &[
    "ab",
    "ag",
    "as",
    "asa",
    "bv",
    "co",
    "company",
    "corp",
    "corporation",
    "gmbh",
    "inc",
    "incorporated",
    "kg",
    "kk",
    "lc",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "ltda",
    "mbh",
    "nv",
    "oy",
    "oyj",
    "plc",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sab",
    "sarl",
    "sas",
    "se",
    "sl",
    "spa",
    "srl",
];

/// Mail providers that give an address to anybody.
const FREE: &[&str] = &[
    "aol.com",
    "duck.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.es",
    "hotmail.fr",
    "hotmail.it",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "live.co.uk",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "outlook.es",
    "outlook.fr",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "rocketmail.com",
    "sina.com",
    "t-online.de",
    "tutanota.com",
    "uol.com.br",
    "web.de",
    "yahoo.ca",
    "yahoo.co.in",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.com.br",
    "yahoo.com.mx",
    "yahoo.de",
    "yahoo.es",
    "yahoo.fr",
    "yahoo.it",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
    "126.com",
    "163.com",
];

/// Key of a company's or person's name: lower case, without accents, punctuation or legal form.
///
/// `None` if nothing is left that could tell anybody apart.
pub fn match_key(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        match letter {
            '&' | '+' => plain.push_str(" and "),
            // Marks inside a word belong to it: O'Neil, A.B.C.
            '\'' | '\u{2019}' | '.' => {}
            letter if letter.is_alphanumeric() => match base(letter) {
                Some(base) => plain.push_str(base),
                None => plain.push(letter),
            },
            // Accents that stand by themselves.
            '\u{300}'..='\u{36f}' => {}
            _ => plain.push(' '),
        }
    }
    let mut words: Vec<&str> = plain.split_whitespace().collect();
    if words.len() > 1 && words[0] == "the" {
        words.remove(0);
    }
    while words.len() > 1 && words.last().is_some_and(|last| LEGAL.contains(last)) {
        words.pop();
        if words.len() > 1 && words.last() == Some(&"and") {
            words.pop();
        }
    }
    (!words.is_empty()).then(|| words.join(" "))
}

/// A lower-case Latin letter with a mark, without it.
fn base(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// The domain of `text`, if `text` is an e-mail address by its form.
///
/// The form is that of RFC 5321 without quoted names and address literals: a local part of up to 64
/// characters, and a domain of at least two labels whose last one has letters.
pub fn email_domain(text: &str) -> Option<&str> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let is_local = (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    let is_domain = domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && last.chars().count() >= 2
        && last.chars().any(char::is_alphabetic);
    (is_local && is_domain).then_some(domain)
}

/// Whether an e-mail address is with a provider that gives one to anybody; `None` if `text` is none.
pub fn is_free_email(text: &str) -> Option<bool> {
    let domain = email_domain(text)?.to_lowercase();
    Some(FREE.contains(&domain.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn duplicates_meet() {
        let cases = [
            (&["ACME, Inc.", "Acme Inc", "The ACME Company", "acme co., ltd."][..], Some("acme")),
            (&["Müller & Söhne GmbH", "MULLER AND SOHNE"], Some("muller and sohne")),
            (&["O'Neil S.A.", "ONeil SA"], Some("oneil")),
            (&["Limited", "LIMITED."], Some("limited")),
            (&["株式会社", "株式会社 "], Some("株式会社")),
            (&["", " - ", "\u{301}"], None),
        ];
        for (names, wanted) in cases {
            for name in names {
                assert_eq!(match_key(name).as_deref(), wanted, "{name}");
            }
        }
        assert_ne!(match_key("Acme North"), match_key("Acme South"));
    }

    #[test]
    fn addresses_are_told_by_their_form() {
        for text in ["a@b.co", " A.B+c@sub.example.org ", "x_y@münchen.de", "o'neil@x-y.io"] {
            assert!(email_domain(text).is_some(), "{text}");
        }
        for text in [
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "a@@b.co",
            "a..b@c.de",
            ".a@b.co",
            "a@-b.co",
            "a@b.c",
            "a@b.12",
            "a@b..co",
            "a@b.co.",
        ] {
            assert!(email_domain(text).is_none(), "{text}");
        }
        assert_eq!(is_free_email("Somebody@GMail.com"), Some(true));
        assert_eq!(is_free_email("somebody@acme.com"), Some(false));
        assert_eq!(is_free_email("nobody"), None);
    }

    proptest! {
        #[test]
        fn any_text_has_a_key_that_is_its_own_key(text in "\\PC{0,40}") {
            let _ = email_domain(&text);
            if let Some(key) = match_key(&text) {
                prop_assert!(!key.is_empty());
                prop_assert_eq!(key.to_lowercase(), key.clone());
            }
        }
    }
}
