//! The slots of servers, and what arrives there.

use tokio::net::TcpListener;

use super::*;

const HOSTS: &str = "/ISAPI/Event/notification/httpHosts";

/// A server that takes what terminals send and answers with the statuses it was given, then 200.
struct Server {
    listener: TcpListener,
}

struct Posted {
    head: String,
    body: Vec<u8>,
}

impl Posted {
    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn serial(&self) -> u64 {
        self.event()["AccessControllerEvent"]["serialNo"]
            .as_u64()
            .unwrap()
    }
}

impl Server {
    async fn open() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    fn host(&self) -> HttpHost {
        HttpHost::new("127.0.0.1", self.port(), "/hik/events/2f0c1d6a9b")
    }

    async fn take(&self, status: u16) -> Posted {
        let accepted = timeout(Duration::from_secs(10), self.listener.accept()).await;
        let (mut stream, _) = accepted.expect("a POST").unwrap();
        let mut bytes = Vec::new();
        loop {
            let read = stream.read_buf(&mut bytes).await.unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("Content-Length: "));
                let whole = head.len() + 4 + length.unwrap().parse::<usize>().unwrap();
                if bytes.len() >= whole || read == 0 {
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    let body = bytes.split_off(head.len() + 4);
                    return Posted {
                        head: head.to_owned(),
                        body,
                    };
                }
            }
        }
    }

    async fn is_left_alone(&self) -> bool {
        timeout(Duration::from_millis(150), self.listener.accept())
            .await
            .is_err()
    }
}

fn calling(push: Push) -> VirtualTerminal {
    entrance().push(Push {
        retry_after: Duration::from_millis(20),
        ..push
    })
}

fn slot(port: u16) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HttpHostNotification version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n\
         <id>1</id>\n<url>/hik/events/a?b=1&amp;c=2</url>\n<protocolType>HTTP</protocolType>\n<parameterFormatType>JSON</parameterFormatType>\n\
         <addressingFormatType>ipaddress</addressingFormatType>\n<ipAddress>127.0.0.1</ipAddress>\n<portNo>{port}</portNo>\n\
         <httpAuthenticationMethod>none</httpAuthenticationMethod>\n<SubscribeEvent><heartbeat>30</heartbeat><eventMode>all</eventMode>\n\
         <EventList><Event><type>AccessControllerEvent</type><pictureURLType>localURL</pictureURLType></Event></EventList></SubscribeEvent>\n\
         </HttpHostNotification>\n"
    )
}

#[tokio::test]
async fn a_slot_is_written_read_back_and_served() {
    let server = Server::open().await;
    let terminal = start(calling(Push::default()).events(punches(2))).await;
    let one = format!("{HOSTS}/1");
    assert!(get(&terminal, &one).await.text().contains("<url></url>"));
    assert_eq!(
        said(&put(&terminal, &one, &slot(server.port())).await),
        (200, "ok".to_owned())
    );
    let shown = get(&terminal, &one).await.text();
    assert_eq!(
        xml::text(&shown, "url").as_deref(),
        Some("/hik/events/a?b=1&c=2")
    );
    assert!(shown.contains(&format!("<portNo>{}</portNo>", server.port())));
    let list = get(&terminal, HOSTS).await.text();
    assert_eq!(xml::all(&list, "HttpHostNotification").count(), 2);
    let capabilities = get(&terminal, &format!("{HOSTS}/capabilities"))
        .await
        .text();
    assert!(capabilities.contains("<hostNumber>2</hostNumber>"));

    // History is not sent.
    terminal.punch("1042", noon());
    let posted = server.take(200).await;
    assert!(
        posted
            .head
            .starts_with("POST /hik/events/a?b=1&c=2 HTTP/1.1\r\nHost: 127.0.0.1:")
    );
    assert!(posted.head.contains("Content-Type: application/json\r\n"));
    let event = posted.event();
    let inner = &event["AccessControllerEvent"];
    assert_eq!(
        (
            &inner["serialNo"],
            &inner["frontSerialNo"],
            &inner["currentEvent"],
            &inner["employeeNoString"]
        ),
        (&json!(3), &json!(2), &json!(true), &json!("1042"))
    );
    while terminal.counts().posts_taken == 0 {
        tokio::task::yield_now().await;
    }
    let deleted = signed_bytes(&terminal, &login(), "DELETE", &one, "").await;
    assert_eq!(response(&deleted).status, 200);
    terminal.punch("1042", noon());
    assert!(server.is_left_alone().await);
}

#[tokio::test]
async fn slots_are_few_and_may_be_somebody_elses() {
    let foreign = HttpHost {
        protocol: "EHome".to_owned(),
        ..HttpHost::new("127.0.0.1", 7660, "/cloud")
    };
    let terminal = start(
        calling(Push {
            slots: 1,
            ..Push::default()
        })
        .http_host(foreign.clone()),
    )
    .await;
    let list = get(&terminal, HOSTS).await.text();
    assert!(list.contains("<url>/cloud</url>\n<protocolType>EHome</protocolType>"));
    let second = put(&terminal, &format!("{HOSTS}/2"), &slot(80)).await;
    assert_eq!(said(&second), (400, "badParameters".to_owned()));
    assert_eq!(terminal.http_hosts(), [Some(foreign)]);

    // A whole list replaces all slots.
    let foreign = HttpHost::new("127.0.0.1", 1, "/other");
    let terminal = start(calling(Push::default()).http_host(foreign)).await;
    let list = format!(
        "<HttpHostNotificationList>{}</HttpHostNotificationList>",
        slot(9).replace("<id>1<", "<id>2<")
    );
    assert_eq!(put(&terminal, HOSTS, &list).await.status, 200);
    let hosts = terminal.http_hosts();
    assert_eq!((&hosts[0], hosts[1].as_ref().unwrap().port), (&None, 9));
    let compact = start(calling(Push {
        lists_empty_slots: false,
        ..Push::default()
    }))
    .await;
    assert!(
        !get(&compact, HOSTS)
            .await
            .text()
            .contains("<HttpHostNotification>")
    );
}

#[tokio::test]
async fn a_slot_that_makes_no_sense_is_refused_and_some_firmware_stores_another() {
    let terminal = start(calling(Push::default())).await;
    let one = format!("{HOSTS}/1");
    let good = slot(80);
    for bad in [
        good.replace("<portNo>80</portNo>", ""),
        good.replace("127.0.0.1", "here"),
        good.replace("<url>", &format!("<url>{}", "x".repeat(128))),
        good.replace(">HTTP<", ">FTP<"),
        good.replace(">30<", ">31<"),
    ] {
        assert_eq!(
            said(&put(&terminal, &one, &bad).await),
            (400, "badXmlContent".to_owned()),
            "{bad}"
        );
    }
    assert_eq!(terminal.http_hosts(), [None, None]);
    terminal.set_fault(Fault::StrictOrder);
    let port_first = good
        .replace("<portNo>80</portNo>\n", "")
        .replace("<url>", "<portNo>80</portNo>\n<url>");
    assert_eq!(put(&terminal, &one, &port_first).await.status, 400);
    assert_eq!(put(&terminal, &one, &good).await.status, 200);
    terminal.set_fault(Fault::ZeroHost);
    assert_eq!(put(&terminal, &one, &good).await.status, 200);
    let shown = get(&terminal, &one).await.text();
    assert!(shown.contains("<ipAddress>0.0.0.0</ipAddress>\n<portNo>80</portNo>"));

    let test = format!("{one}/test");
    assert_eq!(post(&terminal, &test, &json!({})).await.status, 200);
    terminal.set_fault(Fault::TestFails);
    assert_eq!(post(&terminal, &test, &json!({})).await.status, 500);
}

#[tokio::test]
async fn bodies_come_in_each_shape() {
    async fn sent(push: Push, pictures: Pictures, format: EventForm) -> Posted {
        let server = Server::open().await;
        let host = HttpHost {
            format,
            ..server.host()
        };
        let terminal = start(calling(push).pictures(pictures).http_host(host)).await;
        terminal.punch("1042", noon());
        server.take(200).await
    }
    let xml = sent(Push::default(), Pictures::None, EventForm::Xml).await;
    assert!(xml.head.contains("Content-Type: application/xml\r\n"));
    assert!(xml.body.starts_with(b"<EventNotificationAlert"));
    let says_text = Push {
        says_text: true,
        ..Push::default()
    };
    let text = sent(says_text.clone(), Pictures::None, EventForm::Json).await;
    assert!(text.head.contains("Content-Type: text/json\r\n"));
    let text = sent(says_text, Pictures::None, EventForm::Xml).await;
    assert!(text.head.contains("Content-Type: text/xml\r\n"));

    let named = Push {
        part_name: "event_log".to_owned(),
        picture_name: "VisibleLight".to_owned(),
        ..Push::default()
    };
    let form = sent(
        named.clone(),
        Pictures::Binary { bytes: 900 },
        EventForm::Json,
    )
    .await;
    assert!(
        form.head
            .contains("Content-Type: multipart/form-data; boundary=MIME_boundary\r\n")
    );
    let text = String::from_utf8_lossy(&form.body);
    assert!(
        text.starts_with(
            "--MIME_boundary\r\nContent-Disposition: form-data; name=\"event_log\"\r\n"
        )
    );
    assert!(text.contains("name=\"VisibleLight\"; filename=\"Picture.jpg\"\r\nContent-Type: image/jpeg\r\nContent-Length: 900\r\n\r\n"));
    assert!(text.ends_with("\r\n--MIME_boundary--\r\n"));
    let always = Push {
        always_form: true,
        ..named
    };
    let form = sent(always, Pictures::None, EventForm::Json).await;
    assert!(
        form.head.contains("multipart/form-data")
            && !form.body.windows(5).any(|five| five == b"image")
    );
}

#[tokio::test]
async fn an_event_is_sent_again_until_it_is_taken_or_given_up() {
    let server = Server::open().await;
    let terminal = start(
        calling(Push {
            retries: 2,
            ..Push::default()
        })
        .http_host(server.host()),
    )
    .await;
    terminal.punch("1042", noon());
    terminal.punch("1042", noon());
    for (status, serial) in [(500, 1), (404, 1), (200, 1), (503, 2), (503, 2), (503, 2)] {
        assert_eq!(server.take(status).await.serial(), serial);
    }
    terminal.punch("1042", noon());
    assert_eq!(server.take(200).await.serial(), 3);
}

#[tokio::test]
async fn events_of_an_outage_come_after_it_where_that_was_asked_for() {
    for resends in [true, false] {
        let server = Server::open().await;
        let host = HttpHost {
            resends,
            ..server.host()
        };
        let port = server.port();
        drop(server);
        let terminal = start(
            calling(Push {
                retries: 0,
                ..Push::default()
            })
            .http_host(host),
        )
        .await;
        terminal.punch("1042", noon());
        terminal.punch("1042", noon());
        while terminal.counts().posts < 2 {
            tokio::task::yield_now().await;
        }
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let server = Server { listener };
        terminal.punch("1042", noon());
        let first = server.take(200).await;
        let event = &first.event()["AccessControllerEvent"];
        if resends {
            assert_eq!(
                (&event["serialNo"], &event["currentEvent"]),
                (&json!(1), &json!(false))
            );
            assert_eq!(server.take(200).await.serial(), 2);
        }
        let last = if resends {
            server.take(200).await
        } else {
            first
        };
        assert_eq!(last.serial(), 3);
    }
}

#[tokio::test]
async fn heartbeats_are_posted_where_asked_for() {
    let server = Server::open().await;
    let host = HttpHost {
        heartbeat: Some(1),
        ..server.host()
    };
    let _terminal = start(calling(Push::default()).http_host(host.clone())).await;
    assert_eq!(server.take(200).await.event()["eventType"], "heartBeat");
    let quiet = Server::open().await;
    let host = HttpHost {
        port: quiet.port(),
        ..host
    };
    let _silent = start(
        calling(Push {
            heartbeats: false,
            ..Push::default()
        })
        .http_host(host),
    )
    .await;
    assert_eq!(server.take(200).await.event()["eventType"], "heartBeat");
    assert!(quiet.is_left_alone().await);
}

#[tokio::test]
async fn a_reboot_may_end_the_calls() {
    async fn check(after_reboot: AfterReboot, keeps: bool, calls: bool) {
        let server = Server::open().await;
        let push = Push {
            after_reboot,
            ..Push::default()
        };
        let terminal = start(calling(push).http_host(server.host())).await;
        terminal.reboot().unwrap();
        assert_eq!(terminal.http_hosts()[0].is_some(), keeps);
        terminal.punch("1042", noon());
        if calls {
            // The reboot itself and the power are events too.
            for expected in [123, 1024, 75] {
                let event = server.take(200).await.event();
                assert_eq!(event["AccessControllerEvent"]["subEventType"], expected);
            }
            return;
        }
        assert!(server.is_left_alone().await, "{after_reboot:?}");
        let answer = put(&terminal, &format!("{HOSTS}/1"), &slot(server.port())).await;
        assert_eq!(answer.status, 200);
        terminal.punch("1042", noon());
        assert_eq!(server.take(200).await.serial(), 4);
    }
    check(AfterReboot::Resumes, true, true).await;
    check(AfterReboot::Forgets, false, false).await;
    check(AfterReboot::StaysMute, true, false).await;
}

#[tokio::test]
async fn calls_go_wrong_in_each_way() {
    let server = Server::open().await;
    let terminal = start(
        calling(Push {
            retries: 0,
            ..Push::default()
        })
        .http_host(server.host()),
    )
    .await;
    terminal.set_fault(Fault::PushTwice.times(1));
    terminal.punch("1042", noon());
    assert_eq!(
        (
            server.take(200).await.serial(),
            server.take(200).await.serial()
        ),
        (1, 1)
    );
    terminal.set_fault(Fault::PushGarbage.times(1));
    terminal.punch("1042", noon());
    assert!(std::str::from_utf8(&server.take(200).await.body).is_err());
    terminal.set_fault(Fault::PushCut.times(1));
    terminal.punch("1042", noon());
    let cut = server.take(200).await;
    assert!(serde_json::from_slice::<Value>(&cut.body).is_err());
    terminal.set_fault(Fault::PushMute);
    terminal.punch("1042", noon());
    assert!(server.is_left_alone().await);
    // An offline terminal calls nobody.
    terminal.clear_faults();
    terminal.go_offline();
    terminal.punch("1042", noon());
    assert!(server.is_left_alone().await);
    terminal.go_online().unwrap();
    assert_eq!(server.take(200).await.serial(), 5);
}
