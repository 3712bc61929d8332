use super::*;
use serde_json::json;

fn data() -> Variables {
    let data = json!({
        "to": "ada@example.org", "recovery_code": "123456", "expires_in_minutes": 60,
        "identity": {"schema_id": "default", "traits": {"email": "ada@example.org"}},
        "transient_payload": {"list": ["a", "b"], "k": "v", "num": 3, "html": "<b>\"O'x\" & co</b>", "js": "javascript:alert(1)"},
    });
    variables(data.as_object().expect("an object"))
}

fn text(source: &str) -> String {
    Compiled::new(Form::Text, source, &[]).and_then(|t| t.render(&data())).unwrap_or_else(|e| panic!("{source}: {e}"))
}

fn html(source: &str) -> String {
    Compiled::new(Form::Html, source, &[]).and_then(|t| t.render(&data())).unwrap_or_else(|e| panic!("{source}: {e}"))
}

#[test]
fn the_language_is_gos() {
    for (source, expected) in [
        ("{{- /* c */ -}}{{ define \"s\" }}S:{{ . }}{{ end }}{{ template \"s\" \"x\" }}", "S:x"),
        ("{{ if .Identity.traits.newsletter }}yes{{ else }}no{{ end }}", "no"),
        ("{{ with .Identity.traits.name }}{{ .first | upper }}{{ else }}nameless{{ end }}", "nameless"),
        ("{{ range $k, $v := .TransientPayload.list }}[{{ $k }}={{ $v }}]{{ else }}empty{{ end }}", "[0=a][1=b]"),
        ("{{ if and (eq .Identity.schema_id \"default\") (ne .To \"\") }}both{{ end }}", "both"),
        ("{{ if or false (not false) }}or{{ end }}", "or"),
        ("{{ if gt .ExpiresInMinutes 10 }}gt{{ else if lt .ExpiresInMinutes 5 }}lt{{ end }}", "gt"),
        ("{{ printf \"%05d|%s|%q|%v\" 42 \"s\" \"q\" true }}", "00042|s|\"q\"|true"),
        ("{{ index .TransientPayload.list 1 }} {{ index .TransientPayload \"k\" }} {{ len .TransientPayload.list }}", "b v 2"),
        ("{{ $x := \"var\" }}{{ $x }} {{ $x = \"set\" }}{{ $x }}", "var set"),
        ("{{ .Identity.traits.nothing }}", "<no value>"),
        ("{{ if .OAuth2LoginRequest }}x{{ end }}", ""),
        ("{{ html \"<b>\" }} {{ urlquery \"a b\" }}", "&lt;b&gt; a+b"),
        ("{{ .TransientPayload.num }}", "3"),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
}

#[test]
fn sprigs_functions_do_what_sprig_says() {
    for (pipeline, expected) in [
        ("default \"fallback\" .TransientPayload.none", "fallback"),
        ("trunc 3 \"abcdef\"", "abc"),
        ("trunc -2 \"abcdef\"", "ef"),
        ("title \"abc def\"", "Abc Def"),
        ("trim \"  t  \"", "t"),
        ("replace \"a\" \"b\" \"aa\"", "bb"),
        ("contains \"b\" \"abc\"", "true"),
        ("join \"-\" .TransientPayload.list", "a-b"),
        ("add 1 2", "3"),
        ("ternary \"t\" \"f\" true", "t"),
        ("coalesce \"\" \"c\"", "c"),
        ("substr 1 3 \"abcdef\"", "bc"),
        (".TransientPayload.k | quote", "\"v\""),
        ("splitList \",\" \"a,b\" | last", "b"),
        ("(split \",\" \"a,b\")._1", "b"),
        ("list 1 2 3 | rest | first", "2"),
        ("dict \"a\" 1 \"b\" 2 | keys | join \",\"", "a,b"),
        ("dig \"list\" \"x\" \"d\" .TransientPayload", "d"),
        ("toJson .TransientPayload.list", "[\"a\",\"b\"]"),
        ("(fromJson \"{\\\"a\\\":[1]}\").a | first", "1"),
        ("b64enc \"hi\" | b64dec", "hi"),
        ("sha256sum \"abc\" | trunc 8", "ba7816bf"),
        ("regexReplaceAll \"(a)b\" \"abab\" \"${1}-\"", "a-a-"),
        ("until 3 | join \"\"", "012"),
        ("untilStep 3 0 -1 | join \"\"", "321"),
        ("seq 3", "1 2 3"),
        ("abbrev 5 \"abcdefg\"", "ab..."),
        ("snakecase \"FirstName\"", "first_name"),
        ("camelcase \"first_name\"", "FirstName"),
        ("plural \"one\" \"many\" 2", "many"),
        ("round 3.14159 2", "3.14"),
        ("div 7 2", "3"),
        ("mod 7 4", "3"),
        ("(urlParse \"https://u@a.example:8080/p?q=1\").hostname", "a.example"),
        ("wrap 5 \"ab cd ef\"", "ab cd\nef"),
        ("indent 2 \"a\\nb\"", "  a\n  b"),
        ("empty 0", "true"),
        ("kindOf 1.5", "float64"),
        ("merge (dict \"a\" 1) (dict \"a\" 2 \"b\" 3) | toJson", "{\"a\":1,\"b\":3}"),
        ("has \"a\" .TransientPayload.list", "true"),
        ("nospace \"a b\"", "ab"),
        ("initials \"Ada Lovelace\"", "AL"),
        ("base \"/a/b.txt\"", "b.txt"),
        ("ext \"/a/b.txt\"", ".txt"),
        ("trimSuffix \"b\" \"ab\"", "a"),
    ] {
        assert_eq!(text(&format!("{{{{ {pipeline} }}}}")), expected, "{pipeline}");
    }
}

#[test]
fn no_function_panics_whatever_it_is_given() {
    let odd: Vec<gtmpl_ng::Value> = vec![
        gtmpl_ng::Value::Nil,
        gtmpl_ng::Value::NoValue,
        (-1).into(),
        i64::MAX.into(),
        i64::MIN.into(),
        "é,".into(),
        f64::NAN.into(),
        true.into(),
        gtmpl_ng::Value::Array(vec!["a".into()]),
        gtmpl_ng::Value::Map(std::collections::HashMap::from([("a".to_owned(), 1.into())])),
    ];
    for (_, function) in functions::FUNCTIONS {
        let _ = function(&[]);
        for a in &odd {
            let _ = function(std::slice::from_ref(a));
            for b in &odd {
                let _ = function(&[a.clone(), b.clone()]);
                for c in &odd {
                    let _ = function(&[a.clone(), b.clone(), c.clone()]);
                }
            }
        }
    }
}

#[test]
fn html_is_escaped_by_context_and_text_is_not() {
    assert_eq!(text("{{ .TransientPayload.html }}"), "<b>\"O'x\" & co</b>");
    let escaped = "&lt;b&gt;&#34;O&#39;x&#34; &amp; co&lt;/b&gt;";
    assert_eq!(
        html("<p title=\"{{ .TransientPayload.html }}\">{{ .TransientPayload.html }}</p>"),
        format!("<p title=\"{escaped}\">{escaped}</p>")
    );
    assert_eq!(
        html("<a href=\"https://a.example/?q={{ .TransientPayload.k }}&r=1\">"),
        "<a href=\"https://a.example/?q=v&r=1\">"
    );
    assert_eq!(html("<a href=\"{{ .TransientPayload.js }}\">y</a>"), "<a href=\"#\">y</a>");
    assert_eq!(html("{{ .TransientPayload.html | html }}"), escaped, "not twice");
    assert_eq!(html("<p>{{ .Identity.traits.nothing }}</p>"), "<p></p>", "as in Go, absent values are empty in HTML");
    assert_eq!(html("{{ define \"a\" }}<i>{{ . }}</i>{{ end }}{{ template \"a\" \"<\" }}"), "<i>&lt;</i>");
    assert_eq!(html("{{ range .TransientPayload.list }}<li>{{ . }}</li>{{ end }}"), "<li>a</li><li>b</li>");
    assert_eq!(html("{{ if true -}} x {{- end }}{{ $a := \"&\" }}{{ $a }}"), "x&amp;");
}

#[test]
fn named_templates_of_other_files_can_be_used() {
    let named = [("head.gotmpl".to_owned(), "{{ define \"head\" }}H{{ .To }}{{ end }}".to_owned())];
    let compiled = Compiled::new(Form::Text, "{{ template \"head\" . }}", &named).expect("a template");
    assert_eq!(compiled.render(&data()).expect("rendered"), "Hada@example.org");
}

#[test]
fn errors_tell_the_place_but_no_value() {
    let unreadable = Compiled::new(Form::Text, "a\n{{ if }}", &[]).err().expect("a syntax error");
    assert!(matches!(unreadable, TemplateError::Syntax(_)));
    for source in [
        "{{ .Nothing }}",
        "{{ .To.nothing }}",
        "{{ fail .RecoveryCode }}",
        "{{ index .TransientPayload.list 9 }}",
        "{{ range 100000 }}{{ end }}",
        "{{ repeat 100000000 .To }}",
        "{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
        "{{ template \"nothing\" }}",
        "{{ b64dec .To }}",
    ] {
        let error = Compiled::new(Form::Text, source, &[]).and_then(|t| t.render(&data())).expect_err(source).to_string();
        assert!(!error.contains("ada@") && !error.contains("123456"), "{source}: {error}");
    }
}
