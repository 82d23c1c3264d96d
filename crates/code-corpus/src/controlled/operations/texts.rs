//! Steps on texts.

use super::words::count;
use super::{Operation, Run, Words};

fn is_vowel(letter: char) -> bool {
    "aeiouAEIOU".contains(letter)
}

pub(super) const TEXTS: &[Operation] = &[
    Operation {
        name: "upper",
        constants: &[],
        query: [
            "convert the text to upper case",
            "write the text in capital letters",
            "make all letters upper case",
        ],
        plan: ["let $b be $a in upper case", "convert $a to capital letters as $b"],
        python: "$b = $a.upper()",
        java: "String $b = $a.toUpperCase();",
        go: "$b := strings.ToUpper($a)",
        run: Run::TextToText(|x, _| Some(x.to_ascii_uppercase())),
    },
    Operation {
        name: "lower",
        constants: &[],
        query: [
            "convert the text to lower case",
            "write the text in small letters",
            "make all letters lower case",
        ],
        plan: ["let $b be $a in lower case", "convert $a to small letters as $b"],
        python: "$b = $a.lower()",
        java: "String $b = $a.toLowerCase();",
        go: "$b := strings.ToLower($a)",
        run: Run::TextToText(|x, _| Some(x.to_ascii_lowercase())),
    },
    Operation {
        name: "reverse_text",
        constants: &[],
        query: ["reverse the text", "write the text backwards", "turn the text around"],
        plan: ["reverse $a as $b", "let $b be $a from back to front"],
        python: "$b = $a[::-1]",
        java: "String $b = new StringBuilder($a).reverse().toString();",
        go: "$b := \"\"\nfor _, x := range $a {\n\t$b = string(x) + $b\n}",
        run: Run::TextToText(|x, _| Some(x.chars().rev().collect())),
    },
    Operation {
        name: "no_spaces",
        constants: &[],
        query: [
            "remove all spaces",
            "delete the blanks from the text",
            "close up the spaces in the text",
        ],
        plan: ["let $b be $a without spaces", "remove the spaces of $a to get $b"],
        python: r#"$b = $a.replace(" ", "")"#,
        java: r#"String $b = $a.replace(" ", "");"#,
        go: r#"$b := strings.ReplaceAll($a, " ", "")"#,
        run: Run::TextToText(|x, _| Some(x.replace(' ', ""))),
    },
    Operation {
        name: "no_vowels",
        constants: &[],
        query: [
            "remove all vowels",
            "delete the vowels from the text",
            "leave out the letters a, e, i, o and u",
        ],
        plan: [
            "let $b be $a without vowels",
            "for each letter x of $a: | if x is no vowel, append x to $b",
        ],
        python: r#"$b = "".join(x for x in $a if x not in "aeiouAEIOU")"#,
        java: r#"String $b = $a.replaceAll("[aeiouAEIOU]", "");"#,
        go: "$b := \"\"\nfor _, x := range $a {\n\tif !strings.ContainsRune(\"aeiouAEIOU\", x) {\n\t\t$b += string(x)\n\t}\n}",
        run: Run::TextToText(|x, _| Some(x.chars().filter(|x| !is_vowel(*x)).collect())),
    },
    Operation {
        name: "twice",
        constants: &[],
        query: [
            "repeat the text twice",
            "write the text two times in a row",
            "append the text to itself",
        ],
        plan: ["let $b be $a twice", "append $a to itself to get $b"],
        python: "$b = $a + $a",
        java: "String $b = $a + $a;",
        go: "$b := $a + $a",
        run: Run::TextToText(|x, _| Some(x.repeat(2))),
    },
    Operation {
        name: "first_letters",
        constants: &[2, 3, 4, 5],
        query: [
            "take the first $k characters",
            "keep the first $k characters only",
            "cut the text after $k characters",
        ],
        plan: [
            "let $b be the first $k characters of $a",
            "take $k characters from the start of $a as $b",
        ],
        python: "$b = $a[:$k]",
        java: "String $b = $a.substring(0, $k);",
        go: "$b := $a[:$k]",
        run: Run::TextToText(|x, k| Some(x.get(..k as usize)?.to_owned())),
    },
    Operation {
        name: "exclaim",
        constants: &[],
        query: [
            "append an exclamation mark",
            "put an exclamation mark at the end",
            "end the text with an exclamation mark",
        ],
        plan: [
            "append an exclamation mark to $a to get $b",
            "let $b be $a and an exclamation mark",
        ],
        python: r#"$b = $a + "!""#,
        java: r#"String $b = $a + "!";"#,
        go: r#"$b := $a + "!""#,
        run: Run::TextToText(|x, _| Some(x + "!")),
    },
    Operation {
        name: "length",
        constants: &[],
        query: [
            "count the characters",
            "find how many characters the text has",
            "take the length of the text",
        ],
        plan: ["let $b be the length of $a", "count the characters of $a as $b"],
        python: "$b = len($a)",
        java: "int $b = $a.length();",
        go: "$b := len($a)",
        run: Run::TextToNumber(|x, _| Some(x.len() as i64)),
    },
    Operation {
        name: "vowels",
        constants: &[],
        query: ["count the vowels", "find how many vowels there are", "tell the number of vowels"],
        plan: [
            "let $b be the number of vowels in $a",
            "for each letter x of $a: | if x is a vowel, add 1 to $b",
        ],
        python: r#"$b = sum(x in "aeiouAEIOU" for x in $a)"#,
        java: r#"int $b = $a.replaceAll("[^aeiouAEIOU]", "").length();"#,
        go: "$b := 0\nfor _, x := range $a {\n\tif strings.ContainsRune(\"aeiouAEIOU\", x) {\n\t\t$b++\n\t}\n}",
        run: Run::TextToNumber(|x, _| Some(x.chars().filter(|x| is_vowel(*x)).count() as i64)),
    },
    Operation {
        name: "split",
        constants: &[],
        query: [
            "split the text into words",
            "break the text at its spaces",
            "list the words of the text",
        ],
        plan: ["let $b be the words of $a", "split $a at spaces as $b"],
        python: "$b = $a.split()",
        java: r#"var $b = List.of($a.trim().split(" +"));"#,
        go: "$b := strings.Fields($a)",
        run: Run::TextToWords(|x, _| {
            let words: Words =
                x.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
            (!words.is_empty()).then_some(words)
        }),
    },
    Operation {
        name: "letter_counts",
        constants: &[],
        query: [
            "count how often each character occurs",
            "map each character to its number of occurrences",
            "make a table of character frequencies",
        ],
        plan: [
            "let $b map each character of $a to its count",
            "for each character x of $a: | add 1 to the entry of x in $b",
        ],
        python: "$b = {x: $a.count(x) for x in $a}",
        java: "var $b = new TreeMap<String, Integer>();\nfor (String x : $a.split(\"\")) {\n    $b.merge(x, 1, Integer::sum);\n}",
        go: "$b := map[string]int{}\nfor _, x := range $a {\n\t$b[string(x)]++\n}",
        run: Run::TextToMap(|x, _| (!x.is_empty()).then(|| count(x.chars().map(String::from)))),
    },
];
