//! Steps on lists of words.

use super::{Map, Operation, Run};

/// How often each occurs.
pub(super) fn count(words: impl Iterator<Item = String>) -> Map {
    let mut counts = Map::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    counts
}

pub(super) const WORDS: &[Operation] = &[
    Operation {
        name: "sort_words",
        constants: &[],
        query: [
            "sort the words alphabetically",
            "put the words in alphabetical order",
            "arrange the words from a to z",
        ],
        plan: ["sort $a alphabetically as $b", "let $b be $a in alphabetical order"],
        python: "$b = sorted($a)",
        java: "var $b = $a.stream().sorted().toList();",
        go: "$b := append([]string{}, $a...)\nsort.Strings($b)",
        run: Run::WordsToWords(|mut x, _| {
            x.sort();
            Some(x)
        }),
    },
    Operation {
        name: "by_length",
        constants: &[],
        query: [
            "sort the words by length",
            "put shorter words before longer ones",
            "arrange the words from shortest to longest",
        ],
        plan: ["sort $a by length as $b", "let $b be $a with shorter words first"],
        python: "$b = sorted($a, key=len)",
        java: "var $b = $a.stream().sorted(Comparator.comparing(String::length)).toList();",
        go: "$b := append([]string{}, $a...)\nsort.SliceStable($b, func(i, j int) bool {\n\treturn len($b[i]) < len($b[j])\n})",
        run: Run::WordsToWords(|mut x, _| {
            x.sort_by_key(String::len);
            Some(x)
        }),
    },
    Operation {
        name: "reverse_words",
        constants: &[],
        query: [
            "reverse the order of the words",
            "turn the list around",
            "put the words in reverse order",
        ],
        plan: ["reverse $a as $b", "let $b be $a from back to front"],
        python: "$b = $a[::-1]",
        java: "var $b = new ArrayList<>($a);\nCollections.reverse($b);",
        go: "$b := []string{}\nfor _, x := range $a {\n\t$b = append([]string{x}, $b...)\n}",
        run: Run::WordsToWords(|mut x, _| {
            x.reverse();
            Some(x)
        }),
    },
    Operation {
        name: "upper_words",
        constants: &[],
        query: [
            "convert every word to upper case",
            "write each word in capital letters",
            "make all words upper case",
        ],
        plan: [
            "let $b be the words of $a in upper case",
            "for each x in $a: | append x in upper case to $b",
        ],
        python: "$b = [x.upper() for x in $a]",
        java: "var $b = $a.stream().map(x -> x.toUpperCase()).toList();",
        go: "$b := []string{}\nfor _, x := range $a {\n\t$b = append($b, strings.ToUpper(x))\n}",
        run: Run::WordsToWords(|x, _| Some(x.iter().map(|x| x.to_ascii_uppercase()).collect())),
    },
    Operation {
        name: "long_words",
        constants: &[2, 3, 4],
        query: [
            "keep only the words longer than $k letters",
            "throw out words of at most $k letters",
            "select the words with more than $k letters",
        ],
        plan: [
            "let $b be the words of $a longer than $k letters",
            "for each x in $a: | if x is longer than $k letters, append x to $b",
        ],
        python: "$b = [x for x in $a if len(x) > $k]",
        java: "var $b = $a.stream().filter(x -> x.length() > $k).toList();",
        go: "$b := []string{}\nfor _, x := range $a {\n\tif len(x) > $k {\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::WordsToWords(|x, k| Some(x.into_iter().filter(|x| x.len() as i64 > k).collect())),
    },
    Operation {
        name: "join",
        constants: &[],
        query: [
            "join the words with spaces",
            "write the words with spaces between them",
            "turn the words into one text",
        ],
        plan: ["join $a with spaces as $b", "let $b be the words of $a with spaces between them"],
        python: r#"$b = " ".join($a)"#,
        java: r#"String $b = String.join(" ", $a);"#,
        go: r#"$b := strings.Join($a, " ")"#,
        run: Run::WordsToText(|x, _| Some(x.join(" "))),
    },
    Operation {
        name: "first_word",
        constants: &[],
        query: ["take the first word", "pick the word at the start", "get the first element"],
        plan: ["let $b be the first word of $a", "take the word at the start of $a as $b"],
        python: "$b = $a[0]",
        java: "String $b = $a.get(0);",
        go: "$b := $a[0]",
        run: Run::WordsToText(|x, _| x.into_iter().next()),
    },
    Operation {
        name: "longest",
        constants: &[],
        query: [
            "find the longest word",
            "take the word with most letters",
            "pick the word of greatest length",
        ],
        plan: [
            "let $b be the longest word of $a",
            "take the first word of greatest length in $a as $b",
        ],
        python: "$b = max($a, key=len)",
        java: "String $b = $a.stream().max(Comparator.comparing(String::length)).get();",
        go: "$b := $a[0]\nfor _, x := range $a {\n\tif len(x) > len($b) {\n\t\t$b = x\n\t}\n}",
        run: Run::WordsToText(|x, _| x.into_iter().rev().max_by_key(String::len)),
    },
    Operation {
        name: "initials",
        constants: &[],
        query: [
            "join the first letters of the words",
            "build the initials of the words",
            "write the first letter of each word in a row",
        ],
        plan: [
            "let $b be the first letters of the words of $a",
            "for each x in $a: | append the first letter of x to $b",
        ],
        python: r#"$b = "".join(x[0] for x in $a)"#,
        java: "String $b = $a.stream().map(x -> x.substring(0, 1)).collect(Collectors.joining());",
        go: "$b := \"\"\nfor _, x := range $a {\n\t$b += x[:1]\n}",
        run: Run::WordsToText(|x, _| x.iter().map(|x| x.chars().next()).collect()),
    },
    Operation {
        name: "count_words",
        constants: &[],
        query: ["count the words", "find how many words there are", "take the length of the list"],
        plan: ["let $b be the number of words in $a", "count the words of $a as $b"],
        python: "$b = len($a)",
        java: "int $b = $a.size();",
        go: "$b := len($a)",
        run: Run::WordsToNumber(|x, _| Some(x.len() as i64)),
    },
    Operation {
        name: "lengths",
        constants: &[],
        query: [
            "replace each word by its length",
            "list the lengths of the words",
            "count the letters of each word",
        ],
        plan: [
            "let $b be the lengths of the words of $a",
            "for each x in $a: | append the length of x to $b",
        ],
        python: "$b = [len(x) for x in $a]",
        java: "var $b = $a.stream().map(x -> x.length()).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\t$b = append($b, len(x))\n}",
        run: Run::WordsToList(|x, _| Some(x.iter().map(|x| x.len() as i64).collect())),
    },
    Operation {
        name: "word_counts",
        constants: &[],
        query: [
            "count how often each word occurs",
            "map each word to its number of occurrences",
            "make a table of word frequencies",
        ],
        plan: [
            "let $b map each word of $a to its count",
            "for each word x of $a: | add 1 to the entry of x in $b",
        ],
        python: "$b = {x: $a.count(x) for x in $a}",
        java: "var $b = new TreeMap<String, Integer>();\nfor (String x : $a) {\n    $b.merge(x, 1, Integer::sum);\n}",
        go: "$b := map[string]int{}\nfor _, x := range $a {\n\t$b[x]++\n}",
        run: Run::WordsToMap(|x, _| Some(count(x.into_iter()))),
    },
];
