// Text that is a command wherever it stands. Only plain patterns: blocks of a
// large file are scanned one by one, without `filesize`, `uint32()` or modules.

rule shell_download_and_run {
    meta:
        id = "YAR001"
        title = "text downloads a program and runs it"
        severity = "medium"
        confidence = "medium"
        ssdf = "PW.4.4, PW.7.2, RV.1.2"
        cwe = "CWE-78"
        atlas = "AML.T0011.000"
        formats = "pickle, safetensors, gguf, onnx, numpy, hdf5"
        message = "the file holds a shell command that downloads something and runs it"
        remediation = "Find out what would run this text before you load the file."
        why = "Weights and their metadata have no use for a command that fetches a script and hands it to a shell. Nothing runs a string by itself, but something was going to.\n\n**Attackers** keep the command in a string that a later step of theirs runs, such as a few lines of Python beside the weights.\n\n**Honest look-alikes:** documentation and scripts, where such lines are normal and are not looked at."
        references = "https://attack.mitre.org/techniques/T1105/"
        fires = "pickle/shell-string.pkl"
        quiet = "text/repository/README.md"
    strings:
        // No word boundary at the end: in a pickle the next opcode may be a letter.
        $fetch = /(curl|wget|fetch)[ \t][^\n\x00]{0,200}\|[ \t]{0,4}(sudo[ \t]+)?(ba|z|da|k)?sh/
        $subshell = /(ba|z|da|k)?sh[ \t]+-c[ \t]+["']?\$\((curl|wget)/
        $save = /(curl|wget)[ \t][^\n\x00]{0,200}(&&|;)[ \t]{0,4}(chmod[ \t]+\+x|(ba|z|da|k)?sh[ \t])/
        $powershell = /powershell[^\n\x00]{0,120}(DownloadString|DownloadFile|Invoke-WebRequest|-enc[a-z]*[ \t])/ nocase
        $reverse = /\/dev\/tcp\/[A-Za-z0-9_.-]{3,80}\/[0-9]{1,5}/
    condition:
        any of them
}

rule lightning_foreign_instantiator {
    meta:
        id = "YAR002"
        title = "Lightning checkpoint names a function to import"
        severity = "medium"
        confidence = "medium"
        ssdf = "PW.4.4, PW.7.2, RV.1.2"
        cwe = "CWE-470"
        atlas = "AML.T0011.000"
        formats = "pickle, zip, tar"
        message = "the hyper-parameters name an instantiator, which the loader imports and calls"
        remediation = "See which function is named, with `weighin inspect`, before you load the checkpoint with `load_from_checkpoint`."
        why = "Lightning imports and calls the function that the `_instantiator` entry of a checkpoint's hyper-parameters names, however the tensors are loaded. Its own command line writes `lightning.pytorch.cli.instantiate_module`, which is not reported.\n\n**Attackers** name a function that acts when it is called with the class and the arguments that stand beside it.\n\n**Honest look-alikes:** projects with an instantiator of their own."
        references = "https://github.com/Lightning-AI/pytorch-lightning/blob/master/src/lightning/pytorch/core/saving.py"
        fires = "torch/instantiator.ckpt"
        quiet = "torch/lightning.ckpt"
    strings:
        $key = "_instantiator"
        $own = /_instantiator.{1,12}(pytorch_lightning|lightning\.pytorch)\.cli\.instantiate_module/
    condition:
        $key and not $own
}
