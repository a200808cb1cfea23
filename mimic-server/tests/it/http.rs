//! The webhook's port and the admin port, as clients see them.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};

use crate::common::client::{Connection, Response, plain_get, plain_request};
use crate::common::process::{Process, free_port};
use crate::common::{REVIEW, TestServer};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const MIRRORS: (&str, &str) = ("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub");

fn once(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut connection = Connection::open(server.address).expect("the server listens");
    connection.request(method, path, headers, body).expect("the server answers")
}

#[track_caller]
fn refused(response: &Response, status: u16, message: &str) {
    assert_eq!((response.status, response.text()), (status, format!("{message}\n").as_str()));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn the_response_to_a_review_has_a_patch() {
    let server = TestServer::start(&[MIRRORS]);
    let response = once(&server, "POST", "/mutate?timeout=5s", &[JSON], REVIEW.as_bytes());
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    let answer = response.json();
    assert_eq!(answer["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(answer["response"]["allowed"], true);
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    assert!(answer["response"]["patch"].is_string());
}

#[test]
fn dry_run_patches_nothing() {
    let server = TestServer::start(&[MIRRORS, ("MIMIC_DRYRUN", "true")]);
    let answer = once(&server, "POST", "/mutate", &[JSON], REVIEW.as_bytes()).json();
    assert_eq!(answer["response"]["allowed"], true);
    assert!(answer["response"].get("patch").is_none());
}

#[test]
fn the_own_namespace_and_excluded_ones_are_skipped() {
    let server = TestServer::start(&[MIRRORS, ("MIMIC_KUBERNETES_NAMESPACE", "shop")]);
    let own = once(&server, "POST", "/mutate", &[JSON], REVIEW.as_bytes()).json();
    assert!(own["response"].get("patch").is_none());
    let server = TestServer::start(&[MIRRORS, ("MIMIC_EXCLUDE_NAMESPACES", "sh*")]);
    let excluded = once(&server, "POST", "/mutate", &[JSON], REVIEW.as_bytes()).json();
    assert!(excluded["response"].get("patch").is_none());
}

#[test]
fn a_content_type_with_parameters_is_json_too() {
    let server = TestServer::start(&[]);
    let response =
        once(&server, "POST", "/mutate", &[("Content-Type", "Application/JSON; charset=utf-8")], REVIEW.as_bytes());
    assert_eq!(response.status, 200);
}

#[test]
fn another_content_type_or_none_is_415() {
    let server = TestServer::start(&[]);
    let message = "unsupported content type, expected application/json";
    refused(&once(&server, "POST", "/mutate", &[("Content-Type", "text/plain")], b"{}"), 415, message);
    refused(&once(&server, "POST", "/mutate", &[], b"{}"), 415, message);
}

#[test]
fn an_empty_body_is_400() {
    let server = TestServer::start(&[]);
    let message = "request body is empty, expected an AdmissionReview";
    refused(&once(&server, "POST", "/mutate", &[JSON], b""), 400, message);
    let chunked = [JSON, ("Transfer-Encoding", "chunked")];
    refused(&once(&server, "POST", "/mutate", &chunked, b"0\r\n\r\n"), 400, message);
}

#[test]
fn a_body_that_is_no_review_is_400_with_the_reason() {
    let server = TestServer::start(&[]);
    for body in ["{", "[]", "{}", r#"{"apiVersion":"v1","kind":"Pod"}"#] {
        let response = once(&server, "POST", "/mutate", &[JSON], body.as_bytes());
        let error = mimic_k8s::admission::Review::parse(body.as_bytes()).expect_err("it is no review");
        refused(&response, 400, &error.to_string());
    }
}

#[test]
fn a_body_over_the_limit_is_413_whether_or_not_its_length_is_declared() {
    let server = TestServer::start(&[("MIMIC_LIMITS_BODY", "64KiB")]);
    let message = "request body exceeds the limit of 65536 bytes";
    let body = vec![b' '; 65_537];
    refused(&once(&server, "POST", "/mutate", &[JSON], &body), 413, message);

    let mut chunked = format!("{:x}\r\n", body.len()).into_bytes();
    chunked.extend_from_slice(&body);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let headers = [JSON, ("Transfer-Encoding", "chunked")];
    refused(&once(&server, "POST", "/mutate", &headers, &chunked), 413, message);

    // A body of exactly the limit is processed.
    assert_eq!(once(&server, "POST", "/mutate", &[JSON], &body[1..]).status, 400);
}

#[test]
fn a_large_review_is_received_completely() {
    let server = TestServer::start(&[MIRRORS]);
    let mut review: serde_json::Value = serde_json::from_str(REVIEW).unwrap();
    review["request"]["object"]["metadata"]["annotations"]["filler"] = "x".repeat(3 << 20).into();
    let body = review.to_string();
    let answer = once(&server, "POST", "/mutate", &[JSON], body.as_bytes()).json();
    assert!(answer["response"]["patch"].is_string());
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_408() {
    let server = TestServer::start(&[("MIMIC_LIMITS_REQUESTTIME", "300ms")]);
    let head = "POST /mutate HTTP/1.1\r\nHost: mimic\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let mut connection = Connection::open(server.address).unwrap();
    let start = Instant::now();
    connection.send(head.as_bytes()).unwrap();
    refused(&connection.receive().unwrap(), 408, "request body not received within 300ms");
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn the_timeout_of_the_api_server_is_honoured_with_a_margin() {
    let server = TestServer::start(&[]);
    let head = "POST /mutate?timeout=1s HTTP/1.1\r\nHost: mimic\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let mut connection = Connection::open(server.address).unwrap();
    let start = Instant::now();
    connection.send(head.as_bytes()).unwrap();
    refused(&connection.receive().unwrap(), 408, "request body not received within 900ms");
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[test]
fn other_methods_are_405_with_the_allowed_one() {
    let server = TestServer::start(&[]);
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = once(&server, method, "/mutate", &[JSON], b"");
        refused(&response, 405, "method not allowed");
        assert_eq!(response.header("allow"), Some("POST"), "{method}");
    }
}

#[test]
fn other_paths_are_404() {
    let server = TestServer::start(&[]);
    for path in ["/", "/mutate/", "/mutating", "/healthz", "/metrics"] {
        refused(&once(&server, "POST", path, &[JSON], b"{}"), 404, "not found; the webhook is at /mutate");
    }
}

#[test]
fn a_connection_is_kept_for_many_requests_even_after_refusals() {
    let server = TestServer::start(&[MIRRORS]);
    let mut connection = Connection::open(server.address).unwrap();
    for _ in 0..50 {
        assert_eq!(connection.review(REVIEW).unwrap().status, 200);
        assert_eq!(connection.request("GET", "/mutate", &[], b"").unwrap().status, 405);
        assert_eq!(connection.request("POST", "/mutate", &[JSON], b"{}").unwrap().status, 400);
    }
}

#[test]
fn every_client_gets_http_1_1_whatever_it_offers() {
    let server = TestServer::start(&[MIRRORS]);
    for (offered, selected) in [
        (&b"\x02h2\x08http/1.1"[..], Some(&b"http/1.1"[..])),
        (b"\x08http/1.1\x02h2", Some(b"http/1.1")),
        (b"\x02h2", None),
        (b"\x08http/1.0", None),
    ] {
        let mut connection = Connection::offering(server.address, offered).expect("the handshake succeeds");
        assert_eq!(connection.stream.get_ref().ssl().selected_alpn_protocol(), selected, "{offered:?}");
        assert_eq!(connection.review(REVIEW).expect("the server answers").status, 200, "{offered:?}");
    }
}

#[test]
fn a_client_that_speaks_http_2_regardless_is_refused() {
    let server = TestServer::start(&[MIRRORS]);
    let mut connection = Connection::offering(server.address, b"\x02h2").expect("the handshake succeeds");
    // The preface and an empty SETTINGS frame.
    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("the server reads");
    let response = connection.receive().expect("the server answers");
    assert_eq!((response.status, response.is_last()), (400, true));
    assert_eq!(connection.receive().expect_err("it is closed").kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn responses_do_not_wait_for_the_client_to_acknowledge_packets() {
    let server = TestServer::start(&[MIRRORS]);
    let mut connection = Connection::open(server.address).unwrap();
    let mut fastest = Duration::MAX;
    for _ in 0..50 {
        let start = Instant::now();
        assert_eq!(connection.review(REVIEW).unwrap().status, 200);
        fastest = fastest.min(start.elapsed());
    }
    // Each would take 40 ms more if small packets were delayed.
    assert!(fastest < Duration::from_millis(40), "{fastest:?}");
}

#[test]
fn invalid_bytes_on_a_socket_affect_no_other_connection() {
    let server = TestServer::start(&[MIRRORS]);
    let mut connection = Connection::open(server.address).unwrap();
    for invalid in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\xff\xff rubbish", b"", &[0; 4096]] {
        let mut plain = TcpStream::connect(server.address).unwrap();
        // The server can close the connection during the write.
        let _ = plain.write_all(invalid);
        let mut broken = Connection::open(server.address).unwrap();
        broken.send(invalid).unwrap();
        assert_eq!(connection.review(REVIEW).unwrap().status, 200);
    }
}

#[test]
fn a_route_that_panics_affects_no_other_connection() {
    let server = TestServer::start_with(&[MIRRORS], |server| {
        server.workers(1).extra(|app| {
            async fn broken() -> actix_web::HttpResponse {
                panic!("on purpose")
            }
            app.route("/broken", actix_web::web::get().to(broken));
        })
    });
    let mut before = Connection::open(server.address).unwrap();
    assert_eq!(before.review(REVIEW).unwrap().status, 200);
    for _ in 0..3 {
        let mut connection = Connection::open(server.address).unwrap();
        assert!(connection.request("GET", "/broken", &[], b"").is_err(), "its connection is lost");
        assert_eq!(before.review(REVIEW).unwrap().status, 200);
        assert_eq!(Connection::open(server.address).unwrap().review(REVIEW).unwrap().status, 200);
    }
}

#[test]
fn the_admin_port_reports_health_and_readiness() {
    let server = TestServer::start(&[MIRRORS]);
    assert_eq!(plain_get(server.admin, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(plain_get(server.admin, "/readyz"), (200, "ready\n".to_owned()));
    let (status, verbose) = server.readiness();
    assert_eq!(status, 200);
    let lines: Vec<&str> = verbose.lines().collect();
    assert!(lines[0].starts_with("[+] certificate: valid for 36"), "{verbose}");
    assert_eq!(lines[1..], ["[+] source environment: 1 rule", "[+] shutdown: not requested", "ready"]);

    assert_eq!(plain_get(server.admin, "/mutate").0, 404);
    let response = plain_request(server.admin, "POST", "/readyz").unwrap();
    assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn admin_port_0_leaves_the_webhook_port_as_the_only_one() {
    let on = free_port();
    for (port, count) in [(on, 2), (0, 1)] {
        let server = Process::start(&["--demo"], &[("MIMIC_ADMIN_LISTENPORT", &port.to_string())]);
        let webhook = server.address();
        assert_eq!(Connection::open(webhook).unwrap().review(REVIEW).unwrap().status, 200);
        let listening = server.listening();
        assert!(listening.contains(&webhook.port()), "{listening:?}");
        assert_eq!((listening.len(), listening.contains(&on)), (count, port == on), "{listening:?}");
    }
}

#[test]
fn tls_before_version_1_2_is_refused() {
    let server = TestServer::start(&[MIRRORS]);
    let review = |version: SslVersion| {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_verify(SslVerifyMode::NONE);
        // Without this, the client itself refuses the old versions.
        context.set_security_level(0);
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        let ssl = Ssl::new(&context.build()).unwrap();
        Connection::with(server.address, ssl)?.review(REVIEW).map(|response| response.status)
    };
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        assert_eq!(review(version).unwrap(), 200);
    }
    for version in [SslVersion::TLS1, SslVersion::TLS1_1] {
        let error = review(version).unwrap_err().to_string();
        assert!(error.contains("alert protocol version"), "{error}");
    }
}

#[test]
fn neither_upstreams_nor_mirrors_are_contacted() {
    let listen = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    };
    let ((upstream, image), (mirror, location)) = (listen(), listen());
    let server = TestServer::start(&[("MIMIC_MIRRORS", &format!("{image}={location}/cache"))]);
    for number in 0..20 {
        let review = REVIEW.replace("nginx:1.27", &format!("{image}/team/app:{number}"));
        let answer = once(&server, "POST", "/mutate", &[JSON], review.as_bytes()).json();
        let patch = openssl::base64::decode_block(answer["response"]["patch"].as_str().unwrap()).unwrap();
        let patch = String::from_utf8(patch).unwrap();
        assert!(patch.contains(&format!("{location}/cache/team/app:{number}")), "{patch}");
    }
    drop(server);
    for listener in [upstream, mirror] {
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
