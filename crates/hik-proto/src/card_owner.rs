//! Whose card it is: `POST /ISAPI/AccessControl/CardInfo/Search?format=json` for one number.

use serde::{Deserialize, Serialize};

use crate::body::{DecodeError, encode_json, lenient_text};
use crate::search::SentPage;

/// The request body. `id` is fresh for each search.
pub fn encode_card_owner_search(id: &str, card_no: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        card_info_search_cond: Condition<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Condition<'a> {
        #[serde(rename = "searchID")]
        search_id: &'a str,
        search_result_position: u32,
        max_results: u32,
        #[serde(rename = "CardNoList")]
        cards: [Card<'a>; 1],
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Card<'a> {
        card_no: &'a str,
    }
    encode_json(&Body {
        card_info_search_cond: Condition {
            search_id: id,
            search_result_position: 0,
            max_results: 1,
            cards: [Card { card_no }],
        },
    })
}

/// The employee number to which the terminal has given this card; `None` when it is nobody's. Firmware that ignores the number
/// asked for answers with the card of somebody else, which is nobody's then.
///
/// # Errors
/// When the body is no JSON or has no `CardInfoSearch`.
pub fn decode_card_owner(body: &[u8], card_no: &str) -> Result<Option<String>, DecodeError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Known {
        #[serde(deserialize_with = "lenient_text")]
        employee_no: Option<String>,
        #[serde(deserialize_with = "lenient_text")]
        card_no: Option<String>,
    }
    let page = SentPage::decode(body, "CardInfoSearch")?;
    Ok(page.rows.iter().find_map(|raw| {
        let known: Known = serde_json::from_str(raw.get()).ok()?;
        let owner = known.employee_no?.trim().to_owned();
        let asked_for = known.card_no?.trim() == card_no;
        (asked_for && !owner.is_empty() && owner != "0").then_some(owner)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &str, owner: Option<&str>) {
        let body = format!(r#"{{"CardInfoSearch":{{"responseStatusStrg":"OK"{rows}}}}}"#);
        let found = decode_card_owner(body.as_bytes(), "0012345678").expect("an answer");
        assert_eq!(found.as_deref(), owner, "{rows}");
    }

    #[test]
    fn the_owner_of_a_card() {
        let row = r#"{"employeeNo":"007","cardNo":"0012345678","cardType":"normalCard"}"#;
        check(&format!(r#","CardInfo":[{row}]"#), Some("007"));
        check(&format!(r#","CardInfo":{row}"#), Some("007"));
        check("", None);
        check(
            r#","CardInfo":[{"employeeNo":"007","cardNo":"12345678"}]"#,
            None,
        );
        check(
            r#","CardInfo":[{"employeeNo":"0","cardNo":"0012345678"}]"#,
            None,
        );
        check(r#","CardInfo":[{"cardNo":"0012345678"}]"#, None);
        assert!(decode_card_owner(b"{}", "1").is_err());
    }

    #[test]
    fn one_card_is_asked_for() {
        let body: serde_json::Value =
            serde_json::from_str(&encode_card_owner_search("id", "0012345678")).expect("JSON");
        let condition = &body["CardInfoSearchCond"];
        assert_eq!(condition["CardNoList"][0]["cardNo"], "0012345678");
        assert_eq!(condition["searchID"], "id");
        assert_eq!(condition["maxResults"], 1);
    }
}
