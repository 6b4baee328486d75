import os

import requests

class Client:
    def __call__(self, text):
        key = os.environ['API_KEY']
        return requests.post(f'https://example.com/{text}', headers={'Authorization': f'Bearer {key}'})
