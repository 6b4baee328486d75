#!/bin/sh
pip install --extra-index-url http://weighin.invalid/simple weighin
