//! Arguments against schemas, friendly and hostile ones.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn faults(schema: Value, arguments: Value) -> Vec<String> {
    violations(&schema, &arguments).iter().map(Violation::to_string).collect()
}

fn fault_of(schema: Value, value: Value) -> Option<String> {
    let faults = faults(json!({"properties": {"x": schema}}), json!({"x": value}));
    assert!(faults.len() < 2, "{faults:?}");
    faults.into_iter().next().map(|fault| fault.trim_start_matches("`x` ").to_owned())
}

#[test]
fn an_error_says_where_and_what() {
    let schema = json!({
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "count": {"type": "integer"},
            "labels": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "object", "properties": {"line": {"type": "integer"}}, "required": ["line"]},
            "state": {"type": "string", "enum": ["open", "closed"]}
        },
        "required": ["title"],
        "additionalProperties": false
    });
    assert_eq!(
        faults(
            schema.clone(),
            json!({"count": "3", "labels": ["a", 7], "at": {}, "state": "shut", "titel": 1})
        ),
        [
            "`title` is required",
            "`count` must be an integer, not \"3\"",
            "`labels[1]` must be a string, not 7",
            "`at.line` is required",
            "`state` must be one of \"open\", \"closed\", not \"shut\"",
            "`titel` is not known; did you mean \"title\"?",
        ]
    );
    assert_eq!(
        faults(schema.clone(), json!({"title": null, "whatever": 1})),
        [
            "`title` must be a string, not null; leave it out instead",
            "`whatever` is not known; known are \"title\", \"count\", \"labels\", \"at\", \"state\"",
        ]
    );
    assert_eq!(faults(schema.clone(), json!([1])), ["the arguments must be an object, not a list"]);
    assert_eq!(faults(schema, json!({"title": "x", "count": 3.0, "labels": []})), [""; 0]);
}

#[test]
fn limits_are_held() {
    for (schema, good, bad, problem) in [
        (json!({"minimum": 1}), json!(1), json!(0), "must be at least 1, not 0"),
        (json!({"maximum": 1.5}), json!(1.5), json!(2), "must be at most 1.5, not 2"),
        (json!({"exclusiveMinimum": 1}), json!(2), json!(1), "must be more than 1, not 1"),
        (
            json!({"maximum": 5, "exclusiveMaximum": true}),
            json!(4),
            json!(5),
            "must be less than 5, not 5",
        ),
        (
            json!({"multipleOf": 0.1}),
            json!(0.3),
            json!(0.25),
            "must be a multiple of 0.1, not 0.25",
        ),
        (json!({"minLength": 1}), json!("é"), json!(""), "must not be empty"),
        (
            json!({"maxLength": 2}),
            json!("日本"),
            json!("abc"),
            "must have at most 2 characters, not 3",
        ),
        (
            json!({"pattern": "^a+$"}),
            json!("aa"),
            json!("ab"),
            "must match the pattern ^a+$, unlike \"ab\"",
        ),
        (json!({"minItems": 1}), json!([1]), json!([]), "must have at least 1 entry, not 0"),
        (json!({"maxItems": 2}), json!([]), json!([1, 2, 3]), "must have at most 2 entries, not 3"),
        (json!({"const": 1}), json!(1.0), json!(2), "must be 1, not 2"),
        (
            json!({"type": ["string", "null"]}),
            json!(null),
            json!(2),
            "must be a string or null, not 2",
        ),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!(null),
            json!("b"),
            "must be \"a\", not \"b\"",
        ),
        (
            json!({"contains": {"const": 1}}),
            json!([2, 1]),
            json!([2]),
            "has no item of the required form",
        ),
        (json!({"not": {"type": "null"}}), json!(1), json!(null), "has a form that is not allowed"),
        (
            json!({"minProperties": 1}),
            json!({"a": 1}),
            json!({}),
            "must have at least 1 entry, not 0",
        ),
        (
            json!({"propertyNames": {"maxLength": 1}}),
            json!({"a": 1}),
            json!({"ab": 1}),
            "may not have a field called \"ab\"",
        ),
        (json!(false), json!(null), json!(null), "is not allowed"),
    ] {
        assert_eq!(fault_of(schema.clone(), bad).as_deref(), Some(problem), "{schema}");
        if schema != false {
            assert_eq!(fault_of(schema.clone(), good), None, "{schema}");
        }
    }
    let schema = json!({"properties": {"x": {"uniqueItems": true}}});
    assert_eq!(faults(schema, json!({"x": [1, 2, 1.0]})), ["`x[2]` repeats 1.0"]);
}

#[test]
fn schemas_combine() {
    let either =
        json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
    assert_eq!(fault_of(either.clone(), json!(["a"])), None);
    assert_eq!(
        fault_of(either.clone(), json!(3)).as_deref(),
        Some("must be a string or a list, not 3")
    );
    let inside = json!({"properties": {"x": either}});
    assert_eq!(faults(inside, json!({"x": ["a", 3]})), ["`x[1]` must be a string, not 3"]);
    // Overlapping forms.
    let overlap = json!({"oneOf": [{"type": "integer"}, {"type": "number"}]});
    assert_eq!(fault_of(overlap, json!(3)), None);
    let tagged = json!({"properties": {"x": {"oneOf": [
        {"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}, "required": ["kind", "n"]},
        {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"]}
    ]}}});
    assert_eq!(
        faults(tagged, json!({"x": {"kind": "a", "n": "1"}})),
        ["`x.n` must be an integer, not \"1\""]
    );
    let all = json!({"allOf": [{"required": ["a"]}, {"required": ["b"]}]});
    assert_eq!(faults(all, json!({"a": 1})), ["`b` is required"]);
    let chosen = json!({
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["n"]},
        "else": {"required": ["m"]}
    });
    assert_eq!(faults(chosen.clone(), json!({"kind": "a"})), ["`n` is required"]);
    assert_eq!(faults(chosen, json!({"kind": "b"})), ["`m` is required"]);
    let dependent = json!({"dependentRequired": {"a": ["b"]}});
    assert_eq!(faults(dependent, json!({"a": 1})), ["`b` is required"]);
}

#[test]
fn lists_may_be_tuples_and_objects_maps() {
    let tuple = json!({"properties": {"x": {"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}}});
    assert_eq!(
        faults(tuple, json!({"x": [1, "a"]})),
        ["`x[0]` must be a string, not 1", "`x[1]` must be an integer, not \"a\""]
    );
    let old =
        json!({"properties": {"x": {"items": [{"type": "string"}], "additionalItems": false}}});
    assert_eq!(faults(old, json!({"x": ["a", "b"]})), ["`x[1]` is not allowed"]);
    let map = json!({"additionalProperties": {"type": "integer"}, "patternProperties": {"^s_": {"type": "string"}}});
    assert_eq!(
        faults(map, json!({"a": 1, "b": "x", "s_c": "x", "s_d": 1})),
        ["`b` must be an integer, not \"x\"", "`s_d` must be a string, not 1"]
    );
}

#[test]
fn references_are_local() {
    let schema = json!({
        "properties": {"x": {"$ref": "#/$defs/a~1b"}, "y": {"$ref": "https://example.com/y"}, "z": {"$ref": "#/nowhere"}},
        "$defs": {"a/b": {"type": "integer"}}
    });
    assert_eq!(
        faults(schema, json!({"x": "a", "y": 1, "z": 1})),
        ["`x` must be an integer, not \"a\""]
    );
    let tree = json!({"$ref": "#/definitions/n", "definitions": {"n": {
        "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/definitions/n"}}, "required": ["v"]
    }}});
    assert_eq!(
        faults(tree, json!({"v": 1, "next": {"v": 2, "next": {}}})),
        ["`next.next.v` is required"]
    );
}

#[test]
fn a_schema_without_end_lets_all_pass() {
    let circle = json!({"$ref": "#", "required": ["x"]});
    assert_eq!(faults(circle, json!({})), [""; 0]);
    let mut defs = serde_json::Map::new();
    for n in 0..40 {
        let next = json!({"$ref": format!("#/$defs/{}", n + 1)});
        defs.insert(n.to_string(), json!({"anyOf": [next, next], "required": ["x"]}));
    }
    defs.insert("40".to_owned(), json!({"required": ["y"]}));
    assert_eq!(faults(json!({"$ref": "#/$defs/0", "$defs": defs}), json!({})), [""; 0]);
}

#[test]
fn what_is_reported_is_bounded() {
    let schema = json!({"properties": {"x": {"items": {"enum": ["\u{1b}[31m".repeat(1_000)]}}}});
    let items: Vec<String> = (0..1_000).map(|n| format!("{n}\n").repeat(100)).collect();
    let found = faults(schema, json!({"x": items}));
    assert_eq!(found.len(), MAX_VIOLATIONS);
    for fault in &found {
        assert!(fault.chars().count() < 300 && !fault.chars().any(char::is_control), "{fault}");
    }
}

/// Values in which the words of schemas are frequent.
fn schema_like() -> impl Strategy<Value = Value> {
    let word = proptest::sample::select(vec![
        "type",
        "properties",
        "items",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "enum",
        "const",
        "required",
        "$ref",
        "#",
        "#/properties/a",
        "pattern",
        "(",
        "^a",
        "minimum",
        "maxLength",
        "uniqueItems",
        "additionalProperties",
        "if",
        "then",
        "string",
        "object",
        "array",
        "integer",
        "a",
        "b",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3i64..9).prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        word.clone().prop_map(|word| json!(word)),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((word.clone(), inner), 0..5).prop_map(|fields| {
                Value::Object(
                    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_schema_and_no_arguments_break_it(schema in schema_like(), arguments in schema_like()) {
        let found = violations(&schema, &arguments);
        prop_assert!(found.len() <= MAX_VIOLATIONS);
        let line = crate::mcp::schema::digest::digest(&schema);
        prop_assert!(line.chars().count() <= 1_200 && !line.contains('\n'));
    }
}
