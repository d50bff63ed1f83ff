//! Signing in, nonces and the lock-out.

use super::*;

#[tokio::test]
async fn a_password_must_be_chosen() {
    let nameless = VirtualTerminal::new("GB9637211", Login::new("operator", ""), stopped(noon()));
    let error = nameless.start("127.0.0.1:0").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(!format!("{:?}", login()).contains("Abc12345"));
}
#[tokio::test]
async fn challenges_are_spelled_as_in_the_field() {
    async fn check(form: ChallengeForm, expected: &[&str]) {
        let terminal = start(
            entrance()
                .challenge_form(form)
                .offer(Offer::Both)
                .realm("R(1)"),
        )
        .await;
        let answer = unsigned(&terminal, "GET", INFO).await;
        let nonce = &parse_digest(answer.challenges()[0]).unwrap()["nonce"];
        let expected: Vec<String> = expected
            .iter()
            .map(|text| text.replace('N', nonce))
            .collect();
        assert_eq!(answer.challenges(), expected);
    }
    check(
        ChallengeForm::Terminal,
        &[
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"false\", opaque=\"\", domain=\"::\", algorithm=SHA-256",
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"false\", opaque=\"\", domain=\"::\"",
        ],
    )
    .await;
    check(
        ChallengeForm::Camera,
        &[
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"FALSE\", algorithm=SHA-256",
            "Digest qop=\"auth\", realm=\"R(1)\", nonce=\"N\", stale=\"FALSE\"",
        ],
    )
    .await;
    let terminal = start(
        entrance()
            .challenge_form(ChallengeForm::Quoted)
            .offer(Offer::Both),
    )
    .await;
    let answer = unsigned(&terminal, "GET", INFO).await;
    let [both] = answer.challenges()[..] else {
        panic!("one header")
    };
    assert!(both.contains("algorithm=\"SHA256\", stale=\"FALSE\", Digest realm="));
    assert!(both.ends_with("algorithm=\"MD5\", stale=\"FALSE\""));
}

#[tokio::test]
async fn each_offer_takes_what_it_offers() {
    async fn check(offer: Offer, challenge: usize, expected: u16) {
        let terminal = start(entrance().offer(offer)).await;
        let answer = unsigned(&terminal, "GET", INFO).await;
        let authorization = sign(&login(), answer.challenges()[challenge], "GET", INFO, 1);
        let answer = exchange(&terminal, &request("GET", INFO, Some(&authorization), "")).await;
        assert_eq!(response(&answer).status, expected, "{offer:?}");
    }
    check(Offer::Md5, 0, 200).await;
    check(Offer::Sha256, 0, 200).await;
    check(Offer::Both, 0, 200).await;
    check(Offer::Both, 1, 200).await;
    check(Offer::BothButOnlyMd5Works, 0, 401).await;
    check(Offer::BothButOnlyMd5Works, 1, 200).await;
    for form in [
        ChallengeForm::Terminal,
        ChallengeForm::Quoted,
        ChallengeForm::Camera,
    ] {
        assert_eq!(
            get(&start(entrance().challenge_form(form)).await, INFO)
                .await
                .status,
            200
        );
    }

    let basic = start(entrance().offer(Offer::Basic)).await;
    let answer = unsigned(&basic, "GET", INFO).await;
    assert!(answer.challenges()[0].starts_with("Basic realm=\"DS-"));
    for (pair, expected) in [("operator:Abc12345", 200), ("operator:guess", 401)] {
        let authorization = format!("Basic {}", base64(pair.as_bytes()));
        let answer = exchange(&basic, &request("GET", INFO, Some(&authorization), "")).await;
        assert_eq!(response(&answer).status, expected);
    }
    assert_eq!(basic.counts().refused_sign_ins, 1);
}

#[tokio::test]
async fn a_sign_in_must_fit_the_request_in_every_field() {
    let terminal = start(entrance().lock_out(LockOut {
        attempts: 99,
        ..LockOut::default()
    }))
    .await;
    let challenge = unsigned(&terminal, "GET", INFO).await;
    let good = sign(&login(), challenge.challenges()[0], "GET", INFO, 1);
    let spoil = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let bad = [
        spoil("username=\"operator\"", "username=\"admin\""),
        spoil("realm=\"DS-", "realm=\"XX-"),
        spoil("uri=\"/ISAPI", "uri=\"/PSIA"),
        spoil("opaque=\"\"", "opaque=\"x\""),
        spoil(", opaque=\"\"", ""),
        spoil("qop=auth", "qop=auth-int"),
        spoil("nc=00000001", "nc=1"),
        spoil("response=\"", "response=\"0"),
        spoil("Digest ", "Basic "),
        sign(
            &Login::new("operator", "guess"),
            challenge.challenges()[0],
            "GET",
            INFO,
            1,
        ),
        sign(&login(), challenge.challenges()[0], "POST", INFO, 1),
        sign(
            &login(),
            challenge.challenges()[0],
            "GET",
            "/ISAPI/System/time",
            1,
        ),
    ];
    for authorization in &bad {
        let answer = exchange(&terminal, &request("GET", INFO, Some(authorization), "")).await;
        assert_eq!(response(&answer).status, 401, "{authorization}");
    }
    assert_eq!(terminal.counts().refused_sign_ins, bad.len() as u64);
    let answer = exchange(&terminal, &request("GET", INFO, Some(&good), "")).await;
    assert_eq!(response(&answer).status, 200);
}

/// Signs `INFO` with one challenge and the given counts (`(path, nc)`); the status and `stale` of each answer.
async fn reuse(terminal: &RunningTerminal, requests: &[(&str, u32)]) -> Vec<(u16, String)> {
    let challenge = unsigned(terminal, "GET", INFO).await;
    let mut answers = Vec::new();
    for (target, count) in requests {
        let authorization = sign(&login(), challenge.challenges()[0], "GET", target, *count);
        let answer = exchange(terminal, &request("GET", target, Some(&authorization), "")).await;
        let answer = response(&answer);
        let stale = answer
            .challenges()
            .first()
            .map_or_else(String::new, |challenge| {
                parse_digest(challenge).unwrap()["stale"].clone()
            });
        answers.push((answer.status, stale));
    }
    answers
}

#[tokio::test]
async fn nonces_last_as_long_as_set() {
    const TIME: &str = "/ISAPI/System/time";
    async fn check(nonces: Nonces, requests: &[(&str, u32)], expected: &[u16]) {
        let terminal = start(entrance().nonces(nonces)).await;
        let answers = reuse(&terminal, requests).await;
        let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, expected, "{nonces:?}");
        assert!(
            answers
                .iter()
                .all(|(status, stale)| (*status == 401) == (stale == "true"))
        );
        let stale = expected.iter().filter(|status| **status == 401).count() as u64;
        let counts = terminal.counts();
        assert_eq!((counts.stale, counts.refused_sign_ins), (stale, 0));
    }
    check(
        Nonces::Reusable,
        &[(INFO, 1), (TIME, 2), (INFO, 9)],
        &[200, 200, 200],
    )
    .await;
    check(
        Nonces::Reusable,
        &[(INFO, 2), (INFO, 2), (INFO, 1), (INFO, 3)],
        &[200, 401, 401, 200],
    )
    .await;
    check(Nonces::SingleUse, &[(INFO, 1), (INFO, 2)], &[200, 401]).await;
    check(
        Nonces::Expiring { uses: 2 },
        &[(INFO, 1), (INFO, 2), (INFO, 3)],
        &[200, 200, 401],
    )
    .await;
    check(
        Nonces::BoundToUri,
        &[(INFO, 1), (TIME, 2), (INFO, 3)],
        &[200, 401, 200],
    )
    .await;

    let quiet = start(entrance().nonces(Nonces::SingleUse).hides_staleness()).await;
    let answers = reuse(&quiet, &[(INFO, 1), (INFO, 2)]).await;
    assert_eq!(answers[1], (401, "false".to_owned()));
    assert_eq!(quiet.counts().refused_sign_ins, 0);

    let stale = start(entrance().fault(Fault::AlwaysStale)).await;
    assert_eq!(
        reuse(&stale, &[(INFO, 1)]).await,
        [(401, "true".to_owned())]
    );
    stale.clear_faults();
    assert_eq!(reuse(&stale, &[(INFO, 1)]).await, [(200, String::new())]);
}

#[tokio::test]
async fn wrong_passwords_lock_until_the_terminals_clock_says_so() {
    let terminal = start(entrance()).await;
    let wrong = Login::new("operator", "guess");
    for left in [4, 3, 2, 1] {
        let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
        assert_eq!((answer.status, answer.challenges().len()), (401, 1));
        let body = answer.text();
        assert!(body.contains("<lockStatus>unlock</lockStatus>"));
        assert!(body.contains(&format!("<retryLoginTime>{left}</retryLoginTime>")));
    }
    let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
    assert_eq!((answer.status, answer.challenges().len()), (401, 0));
    assert!(
        answer
            .text()
            .contains("<lockStatus>lock</lockStatus>\n<unlockTime>1800</unlockTime>")
    );

    terminal.set_clock(stopped(noon() + 10.minutes()));
    let answer = unsigned(&terminal, "GET", INFO).await;
    assert!(answer.text().contains("<unlockTime>1200</unlockTime>"));
    let counts = terminal.counts();
    assert_eq!(
        (
            counts.refused_sign_ins,
            counts.while_locked,
            counts.unsigned
        ),
        (5, 1, 5)
    );

    terminal.set_clock(stopped(noon() + 30.minutes()));
    assert_eq!(get(&terminal, INFO).await.status, 200);
}

#[tokio::test]
async fn a_good_sign_in_forgets_the_bad_ones() {
    let terminal = start(entrance()).await;
    let wrong = Login::new("operator", "guess");
    signed_bytes(&terminal, &wrong, "GET", INFO, "").await;
    assert_eq!(get(&terminal, INFO).await.status, 200);
    let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
    assert!(answer.text().contains("<retryLoginTime>4</retryLoginTime>"));
    terminal.set_password("guess");
    let answer = response(&signed_bytes(&terminal, &wrong, "GET", INFO, "").await);
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_locked_terminal_answers_as_set() {
    let locks = |answer| LockOut {
        attempts: 1,
        minutes: 30,
        answer,
    };
    let wrong = Login::new("operator", "guess");
    let forbidding = start(entrance().lock_out(locks(LockedAnswer::Forbidden))).await;
    let answer = response(&signed_bytes(&forbidding, &wrong, "GET", INFO, "").await);
    assert_eq!(answer.status, 403);
    let dropping = start(entrance().lock_out(locks(LockedAnswer::Dropped))).await;
    assert!(
        signed_bytes(&dropping, &wrong, "GET", INFO, "")
            .await
            .is_empty()
    );
    assert_eq!(dropping.asked()[1].status, 0);
    let faulty = start(entrance().fault(Fault::Locked)).await;
    assert!(
        unsigned(&faulty, "GET", INFO)
            .await
            .text()
            .contains("<unlockTime>1768</unlockTime>")
    );
}
