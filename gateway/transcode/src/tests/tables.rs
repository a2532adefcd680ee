//! Replies as tables.

use super::ROUTER;
use contracts::{
    analytics::v1::{ProductRow, RevenueReport, RevenueRow, TopProductsReport},
    google::r#type::Money,
};
use prost::Message;

/// The lines of a reply to GET.
fn lines(path: &str, reply: &impl Message) -> Vec<String> {
    let route = ROUTER.find("GET", path).expect("a route").route;
    let table = route.table(&reply.encode_to_vec()).expect("a reply").expect("a table");
    let text = String::from_utf8(table).expect("UTF-8");
    assert!(text.ends_with("\r\n"), "{text:?}");
    text.trim_end_matches("\r\n").split("\r\n").map(str::to_owned).collect()
}

fn product(sku: &str, name: &str) -> ProductRow {
    ProductRow { product_id: "prd_1".into(), sku: sku.into(), name: name.into(), ..Default::default() }
}

#[test]
fn a_row_is_a_line_and_an_amount_its_decimal_number_and_its_currency() {
    let money = |code: &str, units: i64, nanos: i32| Some(Money { currency_code: code.to_owned(), units, nanos });
    let row = RevenueRow {
        period: "2026-03".to_owned(),
        start_time: Some(prost_reflect::prost_types::Timestamp { seconds: 1_774_998_000, nanos: 0 }),
        currency_code: "EUR".to_owned(),
        orders: 3,
        units: 12_000_000_000,
        gross: money("EUR", 1_234, 500_000_000),
        cancelled: money("JPY", 7, 0),
        refunded: money("KWD", 0, 1_000_000),
        net: money("EUR", 0, -50_000_000),
        ..Default::default()
    };
    let lines = lines("/v1/analytics/revenue", &RevenueReport { rows: vec![row], time_zone: "UTC".to_owned() });
    let header = "period,startTime,endTime,currencyCode,orders,units,gross.amount,gross.currencyCode,cancelled.amount,\
        cancelled.currencyCode,refunded.amount,refunded.currencyCode,net.amount,net.currencyCode,averageBasket.amount,\
        averageBasket.currencyCode,cancellations,refunds";
    let cells = "2026-03,2026-03-31T23:00:00Z,,EUR,3,12000000000,1234.50,EUR,7,JPY,0.001,KWD,-0.05,EUR,,,0,0";
    assert_eq!(lines, [header, cells]);
}

#[test]
fn a_text_that_a_spreadsheet_would_take_for_a_formula_has_an_apostrophe_in_front() {
    let report = |name: &str| TopProductsReport { rows: vec![product("S", name)], ..Default::default() };
    for formula in ["=1+1", "+1", "-1", "@SUM(A1)"] {
        let lines = lines("/v1/analytics/products", &report(formula));
        assert_eq!(lines[1], format!("prd_1,S,'{formula},0,0,,"));
    }
    for blank in ["\t", "\r", "\n"] {
        let lines = lines("/v1/analytics/products", &report(&format!("{blank}=1")));
        assert_eq!(lines[1], format!("prd_1,S,\"'{blank}'=1\",0,0,,"));
    }
    assert_eq!(lines("/v1/analytics/products", &report("Tea=pot"))[1], "prd_1,S,Tea=pot,0,0,,");
}

#[test]
fn no_part_of_a_text_is_a_formula_for_who_splits_at_something_else() {
    for (name, cell) in [
        ("Tea;=1+1", r#""Tea;'=1+1""#),
        (r#"Tea;"=1+1""#, r#""Tea;'""=1+1""""#),
        ("Tea;;@A1;+1", r#""Tea;;'@A1;'+1""#),
        ("Tea\t-1", "\"Tea\t'-1\""),
        ("Tea\r\n=1", "\"Tea\r\n'=1\""),
        ("Tea; a pot", r#""Tea; a pot""#),
        ("a\tb\nc", "\"a\tb\nc\""),
    ] {
        let report = TopProductsReport { rows: vec![product("S", name)], ..Default::default() };
        let line = lines("/v1/analytics/products", &report)[1..].join("\r\n");
        assert_eq!(line, format!("prd_1,S,{cell},0,0,,"));
    }
}

#[test]
fn a_reply_that_makes_no_tree_is_an_error_and_no_empty_table() {
    let route = ROUTER.find("GET", "/v1/analytics/products").expect("a route").route;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for json in ["", "{", &deep] {
        let refused = route.tree(json.as_bytes()).expect_err("no tree");
        assert_eq!(refused.http_status(), 500, "{refused}");
        assert!(refused.to_string().contains("GetTopProducts"), "{refused}");
    }
}

#[test]
fn commas_quotes_and_line_breaks_stand_in_quotes() {
    let rows = vec![product("a,b", "a \"fine\" pot"), product("c\r\nd", "=\"x\",1")];
    let lines = lines("/v1/analytics/products", &TopProductsReport { rows, ..Default::default() });
    assert_eq!(lines[1], r#"prd_1,"a,b","a ""fine"" pot",0,0,,"#);
    assert_eq!(lines[2..], [r#"prd_1,"c"#, r#"d","'=""x"",1",0,0,,"#]);
}

#[test]
fn a_report_without_rows_is_the_names_of_its_columns() {
    let lines = lines("/v1/analytics/products", &TopProductsReport::default());
    assert_eq!(lines, ["productId,sku,name,orders,units,gross.amount,gross.currencyCode"]);
}

#[test]
fn a_reply_whose_contract_names_no_rows_is_no_table() {
    let route = ROUTER.find("GET", "/v1/orders").expect("a route").route;
    assert!(!route.rpc.is_table());
    assert_eq!(route.table(&[]).expect("a reply"), None);
}
