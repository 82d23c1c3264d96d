//! Steps on single numbers.

use super::{List, Operation, Run};

/// The decimal digits of a number from 0 up.
fn digits(number: i64) -> Option<List> {
    (number >= 0).then(|| number.to_string().bytes().map(|digit| i64::from(digit - b'0')).collect())
}

pub(super) const NUMBERS: &[Operation] = &[
    Operation {
        name: "add",
        constants: &[1, 2, 3, 5, 7, 10],
        query: [
            "add $k to the number",
            "increase the number by $k",
            "make the number larger by $k",
        ],
        plan: ["add $k to $a to get $b", "let $b be $a + $k"],
        python: "$b = $a + $k",
        java: "int $b = $a + $k;",
        go: "$b := $a + $k",
        run: Run::NumberToNumber(|x, k| Some(x + k)),
    },
    Operation {
        name: "subtract",
        constants: &[1, 2, 3, 4, 6],
        query: [
            "subtract $k from the number",
            "decrease the number by $k",
            "make the number smaller by $k",
        ],
        plan: ["subtract $k from $a to get $b", "let $b be $a - $k"],
        python: "$b = $a - $k",
        java: "int $b = $a - $k;",
        go: "$b := $a - $k",
        run: Run::NumberToNumber(|x, k| Some(x - k)),
    },
    Operation {
        name: "times",
        constants: &[2, 3, 4, 5, 10],
        query: [
            "multiply the number by $k",
            "scale the number by $k",
            "make the number $k times as large",
        ],
        plan: ["multiply $a by $k to get $b", "let $b be $a * $k"],
        python: "$b = $a * $k",
        java: "int $b = $a * $k;",
        go: "$b := $a * $k",
        run: Run::NumberToNumber(|x, k| Some(x * k)),
    },
    Operation {
        name: "square",
        constants: &[],
        query: [
            "square the number",
            "replace the number by its square",
            "multiply the number by itself",
        ],
        plan: ["square $a to get $b", "let $b be $a * $a"],
        python: "$b = $a * $a",
        java: "int $b = $a * $a;",
        go: "$b := $a * $a",
        run: Run::NumberToNumber(|x, _| x.checked_mul(x)),
    },
    Operation {
        name: "remainder",
        constants: &[3, 4, 5, 7, 9],
        query: [
            "take the remainder after division by $k",
            "reduce the number modulo $k",
            "find what is left over after dividing by $k",
        ],
        plan: ["let $b be $a modulo $k", "take the remainder of $a divided by $k as $b"],
        python: "$b = $a % $k",
        java: "int $b = Math.floorMod($a, $k);",
        go: "$b := ($a%$k + $k) % $k",
        run: Run::NumberToNumber(|x, k| Some(x.rem_euclid(k))),
    },
    Operation {
        name: "half",
        constants: &[],
        query: [
            "halve the number and round down",
            "divide the number by two rounding down",
            "take half of the number without the fraction",
        ],
        plan: ["let $b be half of $a rounded down", "divide $a by two and round down to get $b"],
        python: "$b = $a // 2",
        java: "int $b = Math.floorDiv($a, 2);",
        go: "$b := $a >> 1",
        run: Run::NumberToNumber(|x, _| Some(x >> 1)),
    },
    Operation {
        name: "absolute",
        constants: &[],
        query: [
            "take the absolute value of the number",
            "drop the sign of the number",
            "make the number positive if it is negative",
        ],
        plan: ["let $b be the absolute value of $a", "take $a without its sign as $b"],
        python: "$b = abs($a)",
        java: "int $b = Math.abs($a);",
        go: "$b := $a\nif $b < 0 {\n\t$b = -$b\n}",
        run: Run::NumberToNumber(|x, _| Some(x.abs())),
    },
    Operation {
        name: "digit_sum",
        constants: &[],
        query: [
            "add up the digits of the number",
            "compute the sum of the digits",
            "find the digit sum",
        ],
        plan: ["let $b be the sum of the digits of $a", "for each digit of $a: | add it to $b"],
        python: "$b = sum(int(x) for x in str($a))",
        java: "int $b = String.valueOf($a).chars().map(x -> x - '0').sum();",
        go: "$b := 0\nfor x := $a; x > 0; x /= 10 {\n\t$b += x % 10\n}",
        run: Run::NumberToNumber(|x, _| Some(digits(x)?.iter().sum())),
    },
    Operation {
        name: "count_up",
        constants: &[],
        query: [
            "list the numbers from 1 to it",
            "count from 1 up to the number",
            "make the list of all numbers from one up to it",
        ],
        plan: ["let $b be the numbers from 1 to $a", "list 1 to $a as $b"],
        python: "$b = list(range(1, $a + 1))",
        java: "var $b = IntStream.rangeClosed(1, $a).boxed().toList();",
        go: "$b := []int{}\nfor x := 1; x <= $a; x++ {\n\t$b = append($b, x)\n}",
        run: Run::NumberToList(|x, _| (1..=40).contains(&x).then(|| (1..=x).collect())),
    },
    Operation {
        name: "digits",
        constants: &[],
        query: [
            "list the digits of the number",
            "split the number into its digits",
            "make the list of its digits",
        ],
        plan: ["let $b be the digits of $a", "split $a into digits as $b"],
        python: "$b = [int(x) for x in str($a)]",
        java: "var $b = String.valueOf($a).chars().mapToObj(x -> x - '0').toList();",
        go: "$b := []int{}\nfor _, x := range strconv.Itoa($a) {\n\t$b = append($b, int(x-'0'))\n}",
        run: Run::NumberToList(|x, _| digits(x)),
    },
    Operation {
        name: "divisors",
        constants: &[],
        query: [
            "list the divisors of the number",
            "find all numbers that divide it",
            "make the list of its divisors",
        ],
        plan: [
            "let $b be the divisors of $a",
            "for each x from 1 to $a: | if x divides $a, append x to $b",
        ],
        python: "$b = [x for x in range(1, $a + 1) if $a % x == 0]",
        java: "var $b = IntStream.rangeClosed(1, $a).filter(x -> $a % x == 0).boxed().toList();",
        go: "$b := []int{}\nfor x := 1; x <= $a; x++ {\n\tif $a%x == 0 {\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::NumberToList(|n, _| {
            (1..=5000).contains(&n).then(|| (1..=n).filter(|x| n % x == 0).collect())
        }),
    },
    Operation {
        name: "decimal",
        constants: &[],
        query: [
            "write the number as text",
            "convert the number to a string",
            "turn the number into its decimal text",
        ],
        plan: ["let $b be $a as text", "write $a in decimal as $b"],
        python: "$b = str($a)",
        java: "String $b = String.valueOf($a);",
        go: "$b := strconv.Itoa($a)",
        run: Run::NumberToText(|x, _| Some(x.to_string())),
    },
    Operation {
        name: "binary",
        constants: &[],
        query: [
            "write the number in binary",
            "convert the number to binary digits",
            "turn the number into its binary text",
        ],
        plan: ["let $b be $a in binary", "write $a with binary digits as $b"],
        python: r#"$b = format($a, "b")"#,
        java: "String $b = Integer.toBinaryString($a);",
        go: "$b := strconv.FormatInt(int64($a), 2)",
        run: Run::NumberToText(|x, _| (x >= 0).then(|| format!("{x:b}"))),
    },
];
