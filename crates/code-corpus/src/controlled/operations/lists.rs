//! Steps on lists of numbers.

use std::collections::BTreeSet;

use super::{Operation, Run};

pub(super) const LISTS: &[Operation] = &[
    Operation {
        name: "sort_up",
        constants: &[],
        query: [
            "sort the numbers in ascending order",
            "put the numbers in increasing order",
            "arrange the numbers from smallest to largest",
        ],
        plan: ["sort $a from smallest to largest as $b", "let $b be $a in ascending order"],
        python: "$b = sorted($a)",
        java: "var $b = $a.stream().sorted().toList();",
        go: "$b := append([]int{}, $a...)\nsort.Ints($b)",
        run: Run::ListToList(|mut x, _| {
            x.sort_unstable();
            Some(x)
        }),
    },
    Operation {
        name: "sort_down",
        constants: &[],
        query: [
            "sort the numbers in descending order",
            "put the numbers in decreasing order",
            "arrange the numbers from largest to smallest",
        ],
        plan: ["sort $a from largest to smallest as $b", "let $b be $a in descending order"],
        python: "$b = sorted($a, reverse=True)",
        java: "var $b = $a.stream().sorted(Comparator.reverseOrder()).toList();",
        go: "$b := append([]int{}, $a...)\nsort.Sort(sort.Reverse(sort.IntSlice($b)))",
        run: Run::ListToList(|mut x, _| {
            x.sort_unstable();
            x.reverse();
            Some(x)
        }),
    },
    Operation {
        name: "reverse",
        constants: &[],
        query: [
            "reverse the order of the numbers",
            "turn the list around",
            "put the numbers in reverse order",
        ],
        plan: ["reverse $a as $b", "let $b be $a from back to front"],
        python: "$b = $a[::-1]",
        java: "var $b = new ArrayList<>($a);\nCollections.reverse($b);",
        go: "$b := []int{}\nfor _, x := range $a {\n\t$b = append([]int{x}, $b...)\n}",
        run: Run::ListToList(|mut x, _| {
            x.reverse();
            Some(x)
        }),
    },
    Operation {
        name: "unique",
        constants: &[],
        query: [
            "remove repeated numbers",
            "keep only the first of equal numbers",
            "drop the duplicates",
        ],
        plan: [
            "let $b be $a without repeated numbers",
            "for each x in $a: | if x was not seen before, append x to $b",
        ],
        python: "$b = list(dict.fromkeys($a))",
        java: "var $b = $a.stream().distinct().toList();",
        go: "$b := []int{}\n$bSeen := map[int]bool{}\nfor _, x := range $a {\n\tif !$bSeen[x] {\n\t\t$bSeen[x] = true\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::ListToList(|x, _| {
            let mut seen = BTreeSet::new();
            Some(x.into_iter().filter(|x| seen.insert(*x)).collect())
        }),
    },
    Operation {
        name: "evens",
        constants: &[],
        query: [
            "keep only the even numbers",
            "throw out the odd numbers",
            "select the numbers that are even",
        ],
        plan: [
            "let $b be the even numbers of $a",
            "for each x in $a: | if x is even, append x to $b",
        ],
        python: "$b = [x for x in $a if x % 2 == 0]",
        java: "var $b = $a.stream().filter(x -> x % 2 == 0).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\tif x%2 == 0 {\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::ListToList(|x, _| Some(x.into_iter().filter(|x| x % 2 == 0).collect())),
    },
    Operation {
        name: "odds",
        constants: &[],
        query: [
            "keep only the odd numbers",
            "throw out the even numbers",
            "select the numbers that are odd",
        ],
        plan: [
            "let $b be the odd numbers of $a",
            "for each x in $a: | if x is odd, append x to $b",
        ],
        python: "$b = [x for x in $a if x % 2 != 0]",
        java: "var $b = $a.stream().filter(x -> x % 2 != 0).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\tif x%2 != 0 {\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::ListToList(|x, _| Some(x.into_iter().filter(|x| x % 2 != 0).collect())),
    },
    Operation {
        name: "positives",
        constants: &[],
        query: [
            "keep only the positive numbers",
            "throw out zero and the negative numbers",
            "select the numbers above zero",
        ],
        plan: [
            "let $b be the positive numbers of $a",
            "for each x in $a: | if x is positive, append x to $b",
        ],
        python: "$b = [x for x in $a if x > 0]",
        java: "var $b = $a.stream().filter(x -> x > 0).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\tif x > 0 {\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::ListToList(|x, _| Some(x.into_iter().filter(|x| *x > 0).collect())),
    },
    Operation {
        name: "above",
        constants: &[2, 3, 4, 5, 6],
        query: [
            "keep only the numbers greater than $k",
            "throw out the numbers up to $k",
            "select the numbers that exceed $k",
        ],
        plan: [
            "let $b be the numbers of $a greater than $k",
            "for each x in $a: | if x is greater than $k, append x to $b",
        ],
        python: "$b = [x for x in $a if x > $k]",
        java: "var $b = $a.stream().filter(x -> x > $k).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\tif x > $k {\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::ListToList(|x, k| Some(x.into_iter().filter(|x| *x > k).collect())),
    },
    Operation {
        name: "below",
        constants: &[7, 8, 9, 10, 12],
        query: [
            "keep only the numbers less than $k",
            "throw out the numbers from $k up",
            "select the numbers under $k",
        ],
        plan: [
            "let $b be the numbers of $a less than $k",
            "for each x in $a: | if x is less than $k, append x to $b",
        ],
        python: "$b = [x for x in $a if x < $k]",
        java: "var $b = $a.stream().filter(x -> x < $k).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\tif x < $k {\n\t\t$b = append($b, x)\n\t}\n}",
        run: Run::ListToList(|x, k| Some(x.into_iter().filter(|x| *x < k).collect())),
    },
    Operation {
        name: "add_each",
        constants: &[1, 2, 3, 5, 7, 10],
        query: [
            "add $k to every number",
            "increase each number by $k",
            "make all numbers larger by $k",
        ],
        plan: ["add $k to each number of $a to get $b", "for each x in $a: | append x + $k to $b"],
        python: "$b = [x + $k for x in $a]",
        java: "var $b = $a.stream().map(x -> x + $k).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\t$b = append($b, x+$k)\n}",
        run: Run::ListToList(|x, k| Some(x.into_iter().map(|x| x + k).collect())),
    },
    Operation {
        name: "times_each",
        constants: &[2, 3, 4, 5, 6],
        query: [
            "multiply every number by $k",
            "scale each number by $k",
            "make all numbers $k times as large",
        ],
        plan: [
            "multiply each number of $a by $k to get $b",
            "for each x in $a: | append x * $k to $b",
        ],
        python: "$b = [x * $k for x in $a]",
        java: "var $b = $a.stream().map(x -> x * $k).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\t$b = append($b, x*$k)\n}",
        run: Run::ListToList(|x, k| Some(x.into_iter().map(|x| x * k).collect())),
    },
    Operation {
        name: "squares",
        constants: &[],
        query: [
            "square every number",
            "replace each number by its square",
            "multiply each number by itself",
        ],
        plan: ["square each number of $a to get $b", "for each x in $a: | append x * x to $b"],
        python: "$b = [x * x for x in $a]",
        java: "var $b = $a.stream().map(x -> x * x).toList();",
        go: "$b := []int{}\nfor _, x := range $a {\n\t$b = append($b, x*x)\n}",
        run: Run::ListToList(|x, _| Some(x.into_iter().map(|x| x * x).collect())),
    },
    Operation {
        name: "drop_first",
        constants: &[],
        query: [
            "drop the first number",
            "leave out the first number",
            "remove the number at the start",
        ],
        plan: ["let $b be $a without its first number", "remove the first number of $a to get $b"],
        python: "$b = $a[1:]",
        java: "var $b = $a.stream().skip(1).toList();",
        go: "$b := $a[1:]",
        run: Run::ListToList(|x, _| Some(x.split_first()?.1.to_vec())),
    },
    Operation {
        name: "take",
        constants: &[2, 3, 4, 5],
        query: [
            "take the first $k numbers",
            "keep the first $k numbers only",
            "cut the list after $k numbers",
        ],
        plan: [
            "let $b be the first $k numbers of $a",
            "take $k numbers from the start of $a as $b",
        ],
        python: "$b = $a[:$k]",
        java: "var $b = $a.stream().limit($k).toList();",
        go: "$b := $a[:$k]",
        run: Run::ListToList(|x, k| Some(x.get(..k as usize)?.to_vec())),
    },
    Operation {
        name: "sum",
        constants: &[],
        query: [
            "add up all numbers",
            "compute the sum of the numbers",
            "find the total of the list",
        ],
        plan: ["let $b be the sum of $a", "add up $a to get $b"],
        python: "$b = sum($a)",
        java: "int $b = $a.stream().mapToInt(x -> x).sum();",
        go: "$b := 0\nfor _, x := range $a {\n\t$b += x\n}",
        run: Run::ListToNumber(|x, _| Some(x.iter().sum())),
    },
    Operation {
        name: "largest",
        constants: &[],
        query: [
            "find the largest number",
            "take the maximum of the numbers",
            "pick the greatest number",
        ],
        plan: ["let $b be the largest number of $a", "take the maximum of $a as $b"],
        python: "$b = max($a)",
        java: "int $b = Collections.max($a);",
        go: "$b := $a[0]\nfor _, x := range $a {\n\tif x > $b {\n\t\t$b = x\n\t}\n}",
        run: Run::ListToNumber(|x, _| x.into_iter().max()),
    },
    Operation {
        name: "smallest",
        constants: &[],
        query: [
            "find the smallest number",
            "take the minimum of the numbers",
            "pick the least number",
        ],
        plan: ["let $b be the smallest number of $a", "take the minimum of $a as $b"],
        python: "$b = min($a)",
        java: "int $b = Collections.min($a);",
        go: "$b := $a[0]\nfor _, x := range $a {\n\tif x < $b {\n\t\t$b = x\n\t}\n}",
        run: Run::ListToNumber(|x, _| x.into_iter().min()),
    },
    Operation {
        name: "count",
        constants: &[],
        query: [
            "count the numbers",
            "find how many numbers there are",
            "take the length of the list",
        ],
        plan: ["let $b be the length of $a", "count the numbers of $a as $b"],
        python: "$b = len($a)",
        java: "int $b = $a.size();",
        go: "$b := len($a)",
        run: Run::ListToNumber(|x, _| Some(x.len() as i64)),
    },
    Operation {
        name: "first",
        constants: &[],
        query: ["take the first number", "pick the number at the start", "get the first element"],
        plan: ["let $b be the first number of $a", "take the number at the start of $a as $b"],
        python: "$b = $a[0]",
        java: "int $b = $a.get(0);",
        go: "$b := $a[0]",
        run: Run::ListToNumber(|x, _| x.first().copied()),
    },
    Operation {
        name: "last",
        constants: &[],
        query: ["take the last number", "pick the number at the end", "get the last element"],
        plan: ["let $b be the last number of $a", "take the number at the end of $a as $b"],
        python: "$b = $a[-1]",
        java: "int $b = $a.get($a.size() - 1);",
        go: "$b := $a[len($a)-1]",
        run: Run::ListToNumber(|x, _| x.last().copied()),
    },
    Operation {
        name: "product",
        constants: &[],
        query: [
            "multiply all numbers together",
            "compute the product of the numbers",
            "find the product of the list",
        ],
        plan: [
            "let $b be the product of $a",
            "start with $b = 1 | multiply $b by each number of $a",
        ],
        python: "$b = 1\nfor x in $a:\n    $b *= x",
        java: "int $b = $a.stream().reduce(1, (x, y) -> x * y);",
        go: "$b := 1\nfor _, x := range $a {\n\t$b *= x\n}",
        run: Run::ListToNumber(|x, _| x.into_iter().try_fold(1, i64::checked_mul)),
    },
    Operation {
        name: "count_evens",
        constants: &[],
        query: [
            "count the even numbers",
            "find how many numbers are even",
            "tell the number of even elements",
        ],
        plan: [
            "let $b be how many numbers of $a are even",
            "for each x in $a: | if x is even, add 1 to $b",
        ],
        python: "$b = sum(x % 2 == 0 for x in $a)",
        java: "int $b = (int) $a.stream().filter(x -> x % 2 == 0).count();",
        go: "$b := 0\nfor _, x := range $a {\n\tif x%2 == 0 {\n\t\t$b++\n\t}\n}",
        run: Run::ListToNumber(|x, _| Some(x.iter().filter(|x| *x % 2 == 0).count() as i64)),
    },
    Operation {
        name: "commas",
        constants: &[],
        query: [
            "join the numbers with commas",
            "write the numbers with commas between them",
            "turn the list into comma separated text",
        ],
        plan: ["join $a with commas as $b", "let $b be the numbers of $a with commas between them"],
        python: r#"$b = ",".join(map(str, $a))"#,
        java: r#"String $b = $a.stream().map(String::valueOf).collect(Collectors.joining(","));"#,
        go: r#"$b := strings.ReplaceAll(strings.Trim(fmt.Sprint($a), "[]"), " ", ",")"#,
        run: Run::ListToText(|x, _| {
            Some(x.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
        }),
    },
];
