"""What a site says about crawling and training: robots.txt, headers, meta elements, files, licences."""
