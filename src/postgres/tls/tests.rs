use super::*;

fn taken(url: &str) -> (Parameters, String) {
    Parameters::take(url).expect("known words")
}

#[test]
fn what_the_driver_does_not_know_is_taken_out_of_the_address() {
    let (parameters, rest) = taken(
        "postgres://me:p?sslmode=a@h:1,h:2/db?sslmode=verify-ca&connect_timeout=3&sslrootcert=%2Fetc%2Fmy%20ca.pem\
         &sslcert=c.pem&sslkey=k.pem&application_name=x",
    );
    assert_eq!(rest, "postgres://me:p?sslmode=a@h:1,h:2/db?connect_timeout=3&application_name=x");
    let expected = Parameters {
        mode: Some(Mode::VerifyCa),
        root: Some("/etc/my ca.pem".into()),
        certificate: Some("c.pem".into()),
        key: Some("k.pem".into()),
    };
    assert_eq!(parameters, expected);
    assert_eq!(taken("postgres://h/db?sslmode=require").1, "postgres://h/db");
    for url in ["postgres://h/db", "host=/tmp dbname=x", "", "?", "postgres://me:p?q@h"] {
        assert_eq!(taken(url).0, Parameters::default(), "{url}");
    }
    for (name, mode) in Mode::ALL {
        assert_eq!(taken(&format!("postgres://h?sslmode={name}")).0.mode, Some(mode));
    }
    for word in ["allow", "", "Require"] {
        let error = Parameters::take(&format!("postgres://me:s3cret@h?sslmode={word}")).expect_err(word);
        assert_eq!(error.exit_code(), 3);
        assert!(error.hint().is_some_and(|hint| hint.contains("verify-full")) && !error.to_string().contains("s3cret"));
    }
}

#[test]
fn an_authority_that_is_named_is_always_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::default().self_signed(&key).expect("a certificate");
    let (file, empty) = (dir.path().join("ca.pem"), dir.path().join("empty.pem"));
    std::fs::write(&file, certificate.pem()).expect("written");
    std::fs::write(&empty, "no certificate").expect("written");
    let mode = |query: &str, ca_file| {
        let rules = taken(&format!("postgres://h?{query}")).0.apply(ca_file)?;
        Ok::<_, Error>((rules.mode, rules.tls()?.0.is_some()))
    };
    let in_url = format!("sslrootcert={}", file.display());
    for (query, ca_file, expected) in [
        ("sslmode=disable", Some(file.as_path()), (SslMode::Disable, false)),
        ("sslmode=prefer", Some(&file), (SslMode::Prefer, true)),
        ("sslmode=verify-ca", Some(&file), (SslMode::Require, true)),
        ("", Some(&file), (SslMode::Require, true)),
        (in_url.as_str(), None, (SslMode::Require, true)),
        // What the url names comes first.
        (in_url.as_str(), Some(&empty), (SslMode::Require, true)),
    ] {
        assert_eq!(mode(query, ca_file).expect(query), expected, "{query}");
    }
    let own = format!("sslmode=require&sslcert={0}&sslkey={0}", file.display());
    for (query, ca_file, word) in [
        ("sslmode=verify-ca", None, "authority"),
        ("sslmode=verify-ca&sslrootcert=system", Some(file.as_path()), "authority"),
        ("", Some(&empty), "empty.pem"),
        ("sslmode=require", Some(&dir.path().join("none.pem")), "none.pem"),
        ("sslmode=require&sslkey=k.pem", Some(&file), "each other"),
        // A certificate is no key.
        (own.as_str(), Some(&file), "ca.pem"),
    ] {
        let error = mode(query, ca_file).expect_err(query);
        assert!(error.exit_code() == 3 && error.to_string().contains(word), "{query}: {error}");
    }
}

#[test]
fn a_file_with_a_broken_certificate_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::default().self_signed(&key).expect("a certificate").pem();
    let block = "-----BEGIN CERTIFICATE-----\nzzzz\n-----END CERTIFICATE-----\n";
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let [good, secret] =
        [("good.pem", certificate.clone()), ("key.pem", key.serialize_pem())].map(|(n, t)| file(n, &t));
    let broken = [("alone.pem", block.to_owned()), ("behind.pem", certificate + block)].map(|(n, t)| file(n, &t));
    for path in &broken {
        let named = path.display();
        let own = format!("?sslcert={named}&sslkey={}", secret.display());
        for (query, ca_file) in [(String::new(), path), (format!("?sslrootcert={named}"), &good), (own, &good)] {
            let rules = taken(&format!("postgres://h{query}")).0.apply(Some(ca_file)).expect("they fit");
            match rules.tls() {
                Err(error) => assert!(error.to_string().contains(&named.to_string()), "{query}: {error}"),
                // Of a chain, what comes behind the first is for the database to look at.
                Ok(_) => assert!(query.contains("sslcert") && named.to_string().ends_with("behind.pem"), "{query}"),
            }
        }
    }
}
