//! The guard against every way to write an address that is not the open internet's.

use super::Target;

/// Refused as they stand, before any name is resolved.
const REFUSED: &[&str] = &[
    // Loopback
    "https://127.0.0.1/",
    "https://127.0.0.1:8443/hook",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7F.0x0.0x0.0x1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0177.0.0.0x1/",
    "https://127.0.0.1./",
    "https://0x7f000001./",
    "HTTPS://127.0.0.1/",
    // The same in other alphabets and encodings
    "https://１２７.０.０.１/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0%2e0%2e1/",
    // Names of this machine and its network
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "https://loc%61lhost/",
    "https://intranet/",
    "https://metadata/",
    // Unspecified
    "https://0/",
    "https://0.0.0.0/",
    "https://00000000000/",
    "https://[::]/",
    // IPv6: loopback, and IPv4 inside of it
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:7f00:0001]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b:1::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    // IPv6: the ranges of one network
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd12:3456:789a::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    // Private networks
    "https://10.0.0.1/",
    "https://0xa000001/",
    "https://012.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://3232235777/",
    "https://100.64.0.1/",
    // Metadata of clouds
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://192.0.0.192/",
    "https://168.63.129.16/",
    // Reserved, multicast, broadcast
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    // Who is the host?
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://example.com%40127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https:\\\\127.0.0.1\\",
    "https:/\\127.0.0.1/",
    "https://127.0.0.1\t/",
    "https://127.0.\n0.1/",
    "https://example.com /",
    " https://example.com/",
    "https://127.0.0.1#@example.com/",
    "https://127.0.0.1?@example.com/",
    "https:///127.0.0.1/",
    "https://",
    "//127.0.0.1/",
    "https:127.0.0.1",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://exa mple.com/",
    "https://[::1/",
    // Other ways to go
    "http://example.com/",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:25/",
    "dict://127.0.0.1:11211/",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "data:text/plain,x",
    "",
];

fn passes(text: &str) -> bool {
    Target::parse(text).is_ok_and(|target| target.check(false).is_ok())
}

#[test]
fn no_spelling_of_a_private_address_passes() {
    assert!(REFUSED.len() >= 60);
    let passed: Vec<&str> = REFUSED.iter().copied().filter(|text| passes(text)).collect();
    assert_eq!(passed, Vec::<&str>::new());
}

#[test]
fn what_is_of_the_open_internet_passes() {
    for text in [
        "https://discord.com/api/webhooks/1/a",
        "https://hooks.slack.com/services/T/B/x?y=z",
        "https://example.com:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://bücher.example/hook",
        "https://example.com./",
    ] {
        assert!(passes(text), "{text}");
    }
}

#[test]
fn an_address_is_shown_without_its_path() {
    let target = Target::parse("https://hooks.example.com:8443/services/secret?token=secret").unwrap();
    assert_eq!(target.origin(), "https://hooks.example.com:8443");
    assert_eq!(target.path, "/services/secret?token=secret");
    assert!(!format!("{target:?}").contains("secret"));
    let slack = Target::parse("https://Bücher.example").unwrap();
    assert_eq!((slack.origin().as_str(), slack.path.as_str()), ("https://xn--bcher-kva.example", "/"));
    assert_eq!(slack.with_parameter("wait", "true").path, "/?wait=true");
    assert_eq!(target.with_parameter("wait", "true").path, "/services/secret?token=secret&wait=true");
}
