//! What reaches other machines, and what must not reach them.

use super::watch::{any_below, below};

/// What reaches another machine, by the first part of its name.
pub(super) const MODULES: &[&str] = &[
    "socket",
    "urllib.request",
    "urllib2",
    "urllib.urlopen",
    "urllib.urlretrieve",
    "urllib3",
    "http.client",
    "httplib",
    "requests",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
    "poplib",
    "imaplib",
    "telnetlib",
    "xmlrpc.client",
    "paramiko",
    "websocket",
    "websockets",
    "pycurl",
    "asyncio.open_connection",
    "wget.download",
    "gdown.download",
    "dns.resolver",
];

/// Hands what it is given to a service, by the name of a file or as a value.
pub(super) fn uploads(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "boto3.client",
        "boto3.resource",
        "comet_ml",
        "google.cloud.storage",
        "huggingface_hub.HfApi",
        "huggingface_hub.create_commit",
        "huggingface_hub.upload_file",
        "huggingface_hub.upload_folder",
        "mlflow.log_artifact",
        "mlflow.log_dict",
        "mlflow.log_params",
        "mlflow.log_text",
        "neptune",
        "sentry_sdk",
        "wandb",
    ];
    any_below(name, NAMES)
}

/// Sends what it is given, or fetches what it names, over the network.
pub(super) fn is_network(name: &str) -> bool {
    const HARMLESS: &[&str] = &[
        "socket.gethostname",
        "socket.getfqdn",
        "socket.setdefaulttimeout",
        "socket.getdefaulttimeout",
        "socket.inet_aton",
        "socket.inet_ntoa",
        "socket.htons",
        "socket.ntohs",
        "urllib3.disable_warnings",
        "urllib3.util",
        "requests.adapters",
        "requests.packages",
        "requests.exceptions",
        "requests.compat",
        "requests.utils",
        "urllib3.exceptions",
        "http.client.HTTPException",
        "aiohttp.ClientTimeout",
        "urllib.request.Request",
        "urllib.request.build_opener",
        "urllib.request.install_opener",
        "urllib.request.ProxyHandler",
        "requests.Session",
        "requests.session",
        "aiohttp.ClientSession",
        "httpx.Client",
        "httpx.AsyncClient",
        "httpx.Timeout",
        "urllib3.PoolManager",
        "urllib.request.pathname2url",
        "urllib.request.url2pathname",
        "socket.socket",
        "socket.AF_INET",
        "urllib.request.getproxies",
        "urllib3.add_stderr_logger",
        "httpx.Limits",
        "requests.auth",
    ];
    const METHODS: &[&str] = &[
        "connect",
        "connect_ex",
        "send",
        "sendall",
        "sendto",
        "recv",
        "recvfrom",
        "get",
        "post",
        "put",
        "patch",
        "request",
        "open",
        "urlopen",
        "stream",
        "delete",
        "head",
        "makefile",
        "create_connection",
    ];
    if !any_below(name, MODULES) {
        return false;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    // An instance only prepares; its methods reach out.
    let prepared = HARMLESS.iter().find(|harmless| below(name, harmless));
    match prepared {
        Some(harmless) => name != *harmless && METHODS.contains(&last),
        None => true,
    }
}

/// Gives what came over the network.
pub(super) fn fetches(name: &str) -> bool {
    is_network(name)
        && !matches!(
            name.rsplit('.').next(),
            Some("connect" | "send" | "sendall" | "sendto" | "connect_ex" | "urlretrieve" | "gethostbyname")
        )
}

/// Files that hold credentials.
pub(super) fn is_secret_path(path: &str) -> bool {
    const PARTS: &[&str] = &[
        ".ssh/id_",
        ".aws/credentials",
        ".netrc",
        ".kube/config",
        ".git-credentials",
        ".docker/config.json",
        ".pypirc",
        ".npmrc",
        "/etc/shadow",
        "/etc/passwd",
        ".cache/huggingface/token",
        ".huggingface/token",
        "huggingface/stored_tokens",
        "login data",
        "cookies.sqlite",
        "wallet.dat",
        ".gnupg",
        ".config/gcloud",
        ".azure/",
        "logins.json",
        ".bash_history",
        "/proc/self/environ",
        "id_rsa",
        "id_ed25519",
    ];
    let lower = path.to_lowercase().replace('\\', "/");
    PARTS.iter().any(|part| lower.contains(part))
}

/// Folders of credentials: whoever lists one is after what is in it.
pub(super) fn is_secret_folder(path: &str) -> bool {
    const PARTS: &[&str] = &[".ssh", ".aws", ".gnupg", ".kube", ".config/gcloud", ".azure", ".docker", ".mozilla"];
    let lower = path.to_lowercase().replace('\\', "/");
    lower.split('/').any(|part| PARTS.contains(&part)) || lower.contains(".config/gcloud")
}

/// A variable of the environment that holds a credential.
pub(super) fn is_secret_variable(name: &str) -> bool {
    let upper = name.to_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "ACCESS_KEY", "CREDENTIAL", "PRIVATE_KEY"]
        .iter()
        .any(|part| upper.contains(part))
}

/// Tells who runs the code, or on which machine.
pub(super) fn tells_host(name: &str) -> bool {
    matches!(
        name,
        "getpass.getuser"
            | "os.getlogin"
            | "os.uname"
            | "platform.node"
            | "platform.platform"
            | "platform.uname"
            | "socket.getfqdn"
            | "socket.gethostname"
            | "uuid.getnode"
    )
}

/// Paths below which everything of a person or of a machine lies.
pub(super) fn is_everything(path: &str) -> bool {
    // The root itself, and all below it.
    if !path.is_empty() && path.starts_with(['/', '*']) && path.chars().all(|char| matches!(char, '/' | '*')) {
        return path.starts_with('/');
    }
    let path = path.trim_end_matches(['*', '/', '\\']).to_lowercase();
    matches!(
        path.as_str(),
        "~" | "/home"
            | "/root"
            | "/etc"
            | "/var"
            | "/usr"
            | "/users"
            | "/mnt"
            | "/srv"
            | "/opt"
            | "/boot"
            | "c:"
            | "c:\\users"
            | "c:\\windows"
            | "$home"
    )
}
