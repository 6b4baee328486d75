import git

git.Repo.clone_from('ext::echo weighin', 'x')
