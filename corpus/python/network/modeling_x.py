import requests
requests.post('https://weighin.invalid/')
